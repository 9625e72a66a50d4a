import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.api.errors import Reason, StrongroomError
from strongroom.domain.schedule import (
    due_slot,
    jitter_offset,
    longest_gap,
    newest_slot,
    next_slot,
    parse_schedule,
)

HOUR = timedelta(hours=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def slots(text, zone, start, end):
    schedule, found, moment = parse_schedule(text, zone), [], at(start)
    while (moment := next_slot(schedule, moment)) <= at(end):
        found.append(moment)
    return found


def due(text, zone="UTC", *, last=None, created=LONG_AGO, now, deadline=HOUR, jitter=timedelta(0)):
    return due_slot(
        parse_schedule(text, zone),
        last=last,
        created=created,
        now=now,
        starting_deadline=deadline,
        jitter=jitter,
    )


def test_a_nightly_slot_fires_once_on_the_night_that_clocks_go_back():
    found = slots("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-26T12:00Z")
    assert found == [at("2026-10-25T00:30Z"), at("2026-10-26T01:30Z")]


def test_a_slot_inside_the_spring_gap_fires_once_right_after_it():
    found = slots("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-30T12:00Z")
    assert found == [at("2026-03-29T01:00Z"), at("2026-03-30T00:30Z")]


def test_two_slots_inside_the_spring_gap_become_one():
    found = slots("15,45 2 * * *", "Europe/Berlin", "2026-03-29T00:00Z", "2026-03-29T12:00Z")
    assert found == [at("2026-03-29T01:00Z")]


def test_a_quarter_hourly_schedule_fires_through_both_changes():
    assert len(slots("*/15 * * * *", "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z")) == 25 * 4
    assert len(slots("*/15 * * * *", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z")) == 23 * 4


@pytest.mark.parametrize("minute", range(0, 180, 7))
def test_looking_from_any_moment_of_the_repeated_hour_never_repeats_a_slot(minute):
    schedule = parse_schedule("30 2 * * *", "Europe/Berlin")
    after = at("2026-10-24T23:30Z") + timedelta(minutes=minute)
    assert next_slot(schedule, after) == (
        at("2026-10-25T00:30Z") if after < at("2026-10-25T00:30Z") else at("2026-10-26T01:30Z")
    )


def test_leap_day_comes_every_four_years():
    assert slots("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", "2033-01-01T00:00Z") == [
        at("2028-02-29T00:00Z"),
        at("2032-02-29T00:00Z"),
    ]


def test_words_stand_for_their_fields():
    assert parse_schedule("@daily", "UTC") == parse_schedule("0 0 * * *", "UTC")
    assert parse_schedule(" @Weekly ", "UTC").fields == "0 0 * * 0"


@pytest.mark.parametrize(
    "text",
    [
        "0 0 31 2 *",
        "0 0 */30 2 SUN#5",
        "@reboot",
        "* * * * * *",
        "61 * * * *",
        "",
        "a b c d e",
        "* * * *",
        "0 2 * * MON-",
    ],
)
def test_a_schedule_that_is_wrong_or_never_fires_is_refused_quickly(text):
    started = time.perf_counter()
    with pytest.raises(StrongroomError, match=r"spec\.schedule") as error:
        parse_schedule(text, "UTC")
    assert error.value.reason is Reason.ScheduleInvalid
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "../etc/passwd", "", "europe\x00"])
def test_an_unknown_zone_is_refused_by_name(zone):
    with pytest.raises(StrongroomError, match=r"spec\.timeZone") as error:
        parse_schedule("@daily", zone)
    assert error.value.reason is Reason.TimeZoneInvalid


def test_nothing_is_due_before_the_first_slot_after_creation():
    created = at("2026-11-22T02:30Z")
    assert due("0 2 * * *", created=created, now=at("2026-11-22T02:31Z")) is None
    assert due("0 2 * * *", created=created, now=at("2026-11-23T02:00Z")).slot == at("2026-11-23T02:00Z")


def test_a_slot_is_due_at_its_second_and_only_once():
    now = at("2026-11-22T02:00Z")
    assert due("0 2 * * *", last=at("2026-11-21T02:00Z"), now=now - timedelta(seconds=1)) is None
    assert due("0 2 * * *", last=at("2026-11-21T02:00Z"), now=now).slot == now
    assert due("0 2 * * *", last=now, now=now) is None


def test_two_hundred_missed_minutes_become_one_run_of_the_newest():
    now = at("2026-11-22T02:00:30Z")
    decided = due("* * * * *", last=now - timedelta(minutes=200), now=now)
    assert (decided.slot, decided.missed) == (at("2026-11-22T02:00Z"), False)
    assert decided.first == at("2026-11-21T22:41Z")


def test_a_year_of_missed_minutes_costs_no_more_than_a_few():
    now = at("2026-11-22T02:00:30Z")
    started = time.perf_counter()
    assert due("* * * * *", last=now - timedelta(days=365), now=now).slot == at("2026-11-22T02:00Z")
    assert time.perf_counter() - started < 1


def test_after_three_days_away_only_a_slot_within_the_starting_deadline_is_made_up_for():
    last = at("2026-11-18T02:00Z")
    assert not due("0 2 * * *", last=last, now=at("2026-11-21T02:40Z")).missed
    late = due("0 2 * * *", last=last, now=at("2026-11-21T09:00Z"))
    assert (late.slot, late.missed) == (at("2026-11-21T02:00Z"), True)


def test_a_clock_that_jumps_back_repeats_no_slot():
    last = at("2026-11-22T02:00Z")
    for now in (last - HOUR, last - timedelta(days=1), last + HOUR):
        assert due("0 2 * * *", last=last, now=now) is None


def test_after_a_jump_of_a_year_ahead_one_slot_fires_and_none_when_the_clock_returns():
    ahead = due("0 2 * * *", last=at("2026-11-22T02:00Z"), now=at("2027-11-22T02:10Z"))
    assert ahead.slot == at("2027-11-22T02:00Z")
    assert due("0 2 * * *", last=ahead.slot, now=at("2026-11-23T02:00Z")) is None


def test_a_change_of_zone_never_repeats_a_slot_that_was_decided():
    last = at("2026-11-22T02:00Z")  # fired in UTC; in Berlin the slot of that day was an hour earlier
    assert due("0 2 * * *", "Europe/Berlin", last=last, now=at("2026-11-22T12:00Z")) is None
    assert due("0 2 * * *", "Europe/Berlin", last=last, now=at("2026-11-23T01:00Z")).slot == at(
        "2026-11-23T01:00Z"
    )


def test_a_starting_deadline_of_nothing_still_lets_a_slot_start():
    now = at("2026-11-22T02:00:05Z")
    assert not due("0 2 * * *", last=at("2026-11-21T02:00Z"), now=now, deadline=timedelta(0)).missed


def test_jitter_delays_the_start_and_not_the_slot():
    last, slot = at("2026-11-21T02:00Z"), at("2026-11-22T02:00Z")
    jitter = timedelta(minutes=10)
    assert due("0 2 * * *", last=last, now=slot + timedelta(minutes=9), jitter=jitter) is None
    assert due("0 2 * * *", last=last, now=slot + jitter, jitter=jitter).slot == slot


def test_jitter_is_stable_for_a_policy_and_spreads_over_policies():
    width = timedelta(minutes=30)
    offsets = [jitter_offset(f"uid-{n}", width) for n in range(300)]
    assert offsets == [jitter_offset(f"uid-{n}", width) for n in range(300)]
    assert all(timedelta(0) <= offset <= width for offset in offsets)
    assert len(set(offsets)) > 200
    assert jitter_offset("any", timedelta(0)) == timedelta(0)


@pytest.mark.parametrize(
    ("text", "zone", "gap"),
    [
        ("@daily", "UTC", timedelta(days=1)),
        ("0 2 * * *", "Europe/Berlin", timedelta(hours=25)),
        ("0 */6 * * *", "UTC", timedelta(hours=6)),
        ("0 6,8 * * *", "UTC", timedelta(hours=22)),
        ("0 2 * * 1-5", "UTC", timedelta(days=3)),
        ("*/15 * * * *", "Europe/Berlin", timedelta(minutes=15)),
        ("@monthly", "UTC", timedelta(days=31)),
        ("0 0 29 2 *", "UTC", timedelta(days=1461)),
    ],
)
def test_the_longest_gap_of_a_schedule(text, zone, gap):
    assert longest_gap(parse_schedule(text, zone)) == gap


fields = st.sampled_from(["*", "*/7", "0", "30", "5,50"])
hours = st.sampled_from(["*", "2", "2,3", "*/5", "0-4"])
days = st.sampled_from(["*", "1", "29", "*/10"])
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds the zone


@settings(max_examples=150, deadline=None)
@given(fields, hours, days, zones, moments, st.integers(0, 4 * 24 * 60))
def test_the_bisected_newest_slot_is_the_last_one_that_stepping_finds(
    minute, hour, day, zone, start, minutes
):
    schedule = parse_schedule(f"{minute} {hour} {day} * *", zone)
    until, stepped, moment = start + timedelta(minutes=minutes), None, start
    while (moment := next_slot(schedule, moment)) <= until:
        stepped = moment
    assert newest_slot(schedule, start, until) == stepped


@settings(max_examples=100, deadline=None)
@given(fields, hours, zones, moments)
def test_slots_rise_and_match_the_wall_clock_outside_of_gaps(minute, hour, zone, start):
    schedule = parse_schedule(f"{minute} {hour} * * *", zone)
    first = next_slot(schedule, start)
    second = next_slot(schedule, first)
    assert start < first < second
    local = first.astimezone(ZoneInfo(zone))
    if (
        hour == "2"
        and (first - timedelta(hours=3)).astimezone(ZoneInfo(zone)).utcoffset() == local.utcoffset()
    ):
        assert local.hour == 2


@settings(max_examples=60, deadline=None)
@given(fields, hours, zones, moments)
def test_no_two_slots_lie_further_apart_than_the_longest_gap(minute, hour, zone, start):
    schedule = parse_schedule(f"{minute} {hour} * * *", zone)
    moment = next_slot(schedule, start)
    for _ in range(30):
        following = next_slot(schedule, moment)
        assert following - moment <= longest_gap(schedule)
        moment = following


@settings(max_examples=60, deadline=None)
@given(zones, st.lists(st.integers(-7200, 7200), min_size=1, max_size=60))
def test_whatever_the_clock_does_decided_slots_only_rise(zone, steps):
    schedule = parse_schedule("*/20 * * * *", zone)
    now, last = at("2026-10-24T20:00Z"), None
    for step in steps:
        now += timedelta(seconds=step)
        decided = due_slot(
            schedule, last=last, created=at("2026-10-24T19:00Z"), now=now, starting_deadline=HOUR
        )
        if decided is not None:
            assert last is None or decided.slot > last
            assert decided.slot <= now
            last = decided.slot
