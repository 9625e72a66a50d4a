"""A clock that was set forward destroys nothing early; one that is set back again makes up for it."""

from datetime import UTC, datetime, timedelta

from strongroom.controllers.clockjumps import ClockJumps

NOON = datetime(2026, 11, 8, 12, tzinfo=UTC)
HOUR, YEAR = timedelta(hours=1), timedelta(days=365)


def test_what_ended_before_a_jump_is_kept_longer_by_it_and_what_ended_after_it_is_not():
    jumps = ClockJumps()
    assert jumps.note(NOON + YEAR, YEAR)
    assert jumps.ahead_since(NOON) == YEAR
    assert jumps.ahead_since(NOON + YEAR + HOUR) == timedelta(0)


def test_a_jump_back_takes_a_jump_forward_away():
    jumps = ClockJumps()
    jumps.note(NOON + YEAR, YEAR)
    jumps.note(NOON + HOUR, -YEAR)
    assert jumps.ahead_since(NOON) == timedelta(0)
    jumps.note(NOON, -HOUR)
    assert jumps.ahead_since(NOON - HOUR) == timedelta(0)


def test_a_clock_that_is_put_right_by_seconds_is_nothing():
    jumps = ClockJumps()
    assert not jumps.note(NOON, timedelta(seconds=20))
    assert jumps.known == []


def test_of_many_jumps_the_newest_are_known():
    jumps = ClockJumps()
    for number in range(1000):
        jumps.note(NOON + number * HOUR, HOUR)
    assert len(jumps.known) < 200
    assert jumps.ahead_since(NOON + 997 * HOUR) == 2 * HOUR
