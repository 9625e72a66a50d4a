"""Durations and conditions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.api.conditions import build_condition, with_condition
from strongroom.api.fields import format_duration, parse_duration

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_reads_back_what_was_written(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert parse_duration(format_duration(span)) == span


@pytest.mark.parametrize("text", ["", "5", "-5m", "1.5h", "5 m", "m", "5y", "5m\n"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_condition_keeps_its_transition_time_until_its_status_changes() -> None:
    first = build_condition("Ready", status=True, reason="AllGood", message="", now=NOW)
    later = build_condition(
        "Ready", status=True, reason="StillGood", message="", now=NOW + timedelta(hours=1)
    )
    failed = build_condition("Ready", status=False, reason="Broken", message="", now=NOW + timedelta(hours=2))
    (kept,) = with_condition(with_condition([], first), later)
    assert (kept.reason, kept.last_transition_time) == ("StillGood", NOW)
    (changed,) = with_condition([kept], failed)
    assert changed.last_transition_time == NOW + timedelta(hours=2)


def test_a_long_message_is_cut_to_its_bound() -> None:
    assert len(build_condition("Ready", status=None, reason="X", message="a" * 5000, now=NOW).message) == 1024
