"""What people read."""

from datetime import UTC, datetime, timedelta

import pytest

from strongroom.cli.quantities import ago, human_bytes, human_span

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 62, "4096.0 PiB"),
    ],
)
def test_sizes_are_shown_in_binary_units(count: int | None, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (3600, "1h"), (90061, "1d1h"), (125, "2m5s")]
)
def test_spans_show_their_two_largest_units(seconds: int, text: str) -> None:
    assert human_span(timedelta(seconds=seconds)) == text


def test_moments_are_told_from_now() -> None:
    assert ago(None, NOW) == "never"
    assert ago(NOW - timedelta(minutes=5), NOW) == "5m ago"
    assert ago(NOW + timedelta(hours=2), NOW) == "in 2h"
