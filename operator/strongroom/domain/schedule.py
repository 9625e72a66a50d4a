"""Slots: the moments at which a policy's schedule fires, and which of them is due now.

Cron's rules are Debian cron's, by cronsim: a job at a fixed hour fires once on the night that clocks go back,
and right after the gap on the night that they go forward. Slots are instants (UTC), to the minute, without jitter.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from strongroom.api.errors import Reason, StrongroomError, excerpt

WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
SHORTEST_STARTING_DEADLINE = timedelta(seconds=15)
"""A slot can never start at its very second: a shorter deadline would skip every one."""
_MINUTE = timedelta(minutes=1)
_YEARS_LOOKED_AT = 9  # at least two leap days, wherever one starts
_REFERENCE = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Schedule:
    """Five cron fields and the zone that they are read in."""

    fields: str
    zone: tzinfo


@dataclass(frozen=True)
class Due:
    """What is to be decided now: one slot at most.

    `slot` is the newest slot that passed; `missed` says that it passed too long ago to be made up for;
    `first` is the oldest slot since the last decision (earlier than `slot` when several were coalesced).
    """

    slot: datetime
    first: datetime
    missed: bool


@lru_cache(maxsize=4096)
def parse_schedule(text: str, time_zone: str) -> Schedule:
    """The schedule of a policy; raises ScheduleInvalid or TimeZoneInvalid, naming the field."""
    zone = find_zone(time_zone)
    words = text.split()
    fields = WORDS.get(text.strip().lower(), " ".join(words))
    if len(fields.split()) != 5:
        raise StrongroomError(
            Reason.ScheduleInvalid,
            f"spec.schedule: {excerpt(text)!r} is neither five cron fields nor one of {', '.join(WORDS)}",
        )
    try:
        next(CronSim(fields, _REFERENCE))
    except CronSimError as error:
        raise StrongroomError(Reason.ScheduleInvalid, f"spec.schedule: {excerpt(text)!r}: {error}") from error
    except StopIteration as error:  # such as the fifth Sunday that is also the 1st
        raise StrongroomError(
            Reason.ScheduleInvalid, f"spec.schedule: {excerpt(text)!r} never comes to pass"
        ) from error
    return Schedule(fields, zone)


def find_zone(name: str) -> tzinfo:
    """The time zone of that name; raises TimeZoneInvalid, naming the field."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (
        ZoneInfoNotFoundError,
        ValueError,
        OSError,
    ) as error:  # OSError: a folder of zones, such as Europe
        raise StrongroomError(
            Reason.TimeZoneInvalid,
            f"spec.timeZone: {excerpt(name)!r} is not a time zone of the IANA database",
        ) from error


def next_slot(schedule: Schedule, after: datetime) -> datetime:
    """The first slot strictly later than `after`."""
    for local in CronSim(schedule.fields, after.astimezone(schedule.zone)):
        slot = local.astimezone(UTC)
        if slot > after:  # in the repeated hour cronsim goes by the wall clock and may look back
            return slot
    raise StrongroomError(Reason.ScheduleInvalid, f"spec.schedule: {schedule.fields!r} never comes to pass")


def newest_slot(schedule: Schedule, after: datetime, until: datetime) -> datetime | None:
    """The last slot in (after, until], by bisection: the cost does not grow with the number of slots between."""
    newest = next_slot(schedule, after)
    if newest > until:
        return None
    low, high = newest, until  # next_slot is monotone: somewhere in [low, high] it first passes `until`
    while high - low > _MINUTE:
        middle = low + (high - low) / 2
        found = next_slot(schedule, middle)
        if found <= until:
            newest = low = found
        else:
            high = middle
    while (follower := next_slot(schedule, newest)) <= until:  # at most once: slots are a minute apart
        newest = follower
    return newest


def due_slot(
    schedule: Schedule,
    *,
    last: datetime | None,
    created: datetime,
    now: datetime,
    starting_deadline: timedelta,
    jitter: timedelta = timedelta(0),
) -> Due | None:
    """The one slot to decide now, or None: missed slots are coalesced into the newest.

    Only slots later than the policy's creation and than the last decided slot count, so a clock that jumps back
    repeats nothing. `jitter` is this policy's own offset: a slot starts at slot + jitter.
    """
    after = created if last is None else max(last, created)
    until = now - jitter
    if until <= after:
        return None
    slot = newest_slot(schedule, after, until)
    if slot is None:
        return None
    late = max(starting_deadline, SHORTEST_STARTING_DEADLINE)
    return Due(slot, next_slot(schedule, after), missed=slot < until - late)


def jitter_offset(policy_uid: str, jitter: timedelta) -> timedelta:
    """Where in [0, jitter] this policy starts, in whole seconds: the same at every slot, spread over the policies."""
    width = int(jitter.total_seconds()) + 1
    digest = hashlib.sha256(f"jitter/{policy_uid}".encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:8], "big") % width)


@lru_cache(maxsize=4096)
def longest_gap(schedule: Schedule) -> timedelta:
    """The longest time between two slots; in a zone whose clocks change, with the hour that the autumn night adds."""
    cron = CronSim(schedule.fields, _REFERENCE)
    times = sorted(timedelta(hours=h, minutes=m) for h in cron.hours for m in cron.minutes)
    within = max((b - a for a, b in pairwise(times)), default=timedelta(0))
    between = timedelta(days=_longest_day_gap(cron)) - (times[-1] - times[0])
    gap = max(within, between)
    at_fixed_hours = not any(field.startswith("*") for field in schedule.fields.split()[:2])
    return gap + _clock_change(schedule.zone) if at_fixed_hours or gap > timedelta(hours=1) else gap


def _longest_day_gap(cron: CronSim) -> int:
    first = _REFERENCE.date().toordinal()
    dates = (date.fromordinal(first + n) for n in range(366 * _YEARS_LOOKED_AT))
    days = [d.toordinal() for d in dates if d.month in cron.months and cron.match_day(d)]
    return max(b - a for a, b in pairwise(days))


def _clock_change(zone: tzinfo) -> timedelta:
    offsets = {
        (_REFERENCE + timedelta(days=n)).astimezone(zone).utcoffset() or timedelta(0)
        for n in range(0, 366, 7)
    }
    return max(offsets) - min(offsets)
