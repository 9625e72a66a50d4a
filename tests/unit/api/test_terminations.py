"""A result as a termination message of 4 KiB: whole, deflated, or in the log."""

import json
import random

import pytest

from strongroom.api.terminations import (
    LARGEST_INFLATED_BYTES,
    LARGEST_MESSAGE_BYTES,
    InLog,
    find_in_log,
    needs_log,
    pack_result,
    unpack_result,
)

BRIEF = json.dumps({"outcome": "Succeeded"})


def noise(length):
    return json.dumps({"digests": random.Random(7).randbytes(length).hex()})


@pytest.mark.parametrize(
    "text", [BRIEF, json.dumps({"rows": ["x" * 64] * 400}), json.dumps({"n": "é" * 2030})]
)
def test_what_fits_or_can_be_made_to_fit_comes_back_as_it_was(text):
    message = pack_result(text, BRIEF)
    assert len(message.encode()) <= LARGEST_MESSAGE_BYTES
    assert not needs_log(message)
    assert unpack_result(message) == text


def test_what_does_not_fit_is_the_logs_last_line_and_proved_by_its_digest():
    text = noise(8000)
    message = pack_result(text, BRIEF)
    where = unpack_result(message)
    assert (needs_log(message), isinstance(where, InLog)) == (True, True)
    assert isinstance(where, InLog)
    assert find_in_log(where, f'{{"stage": "Dump"}}\n{text}\n') == text
    for log in ("", text[:-1], f"{text}x\n"):
        assert find_in_log(where, log) == BRIEF


@pytest.mark.parametrize(
    "message", ["", "Traceback (most recent call last)", "[]", "deflated:###", "logged:abc", "logged:a:b"]
)
def test_what_a_killed_worker_leaves_is_no_result(message):
    assert unpack_result(message) is None


def test_a_message_that_inflates_without_end_is_no_result():
    bomb = pack_result(json.dumps({"a": "0" * (LARGEST_INFLATED_BYTES + 1)}), BRIEF)
    assert unpack_result(bomb) is None
