"""Freshness: is the last verified backup young enough? Counted from the moment it shows, whatever ran since."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import overload

from strongroom.api.backuppolicy import BackupPolicySpec, LastSuccess
from strongroom.api.conditions import FRESH, Condition, build_condition
from strongroom.api.fields import format_duration, format_time
from strongroom.domain.schedule import Schedule, longest_gap
from strongroom.domain.spans import parse_span

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A backup from further ahead than this means that a clock was, or is, wrong."""
SHORTEST_SLACK = timedelta(minutes=5)
"""A backup takes time: a schedule of a few minutes would otherwise be stale during each of its own runs."""


ON_DEMAND = "OnDemand"
"""Reason of an Unknown that is no cause for worry: the policy has no schedule and asks for no age."""


@dataclass(frozen=True)
class Freshness:
    """The condition, and when it turns False by itself."""

    condition: Condition
    fresh_until: datetime | None


@overload
def max_age(spec: BackupPolicySpec, schedule: Schedule) -> timedelta: ...
@overload
def max_age(spec: BackupPolicySpec, schedule: Schedule | None) -> timedelta | None: ...
def max_age(spec: BackupPolicySpec, schedule: Schedule | None) -> timedelta | None:
    """How old the last verified backup may be: as asked, or 1.05 times the longest gap (and 5 minutes more than it).

    None if it is not asked and there is no schedule, or none that can be read, to tell.
    """
    if spec.freshness.max_age is not None:
        return parse_span(spec.freshness.max_age)
    if schedule is None:
        return None
    gap = longest_gap(schedule)
    return max(timedelta(seconds=int(gap.total_seconds() * 1.05)), gap + SHORTEST_SLACK)


def judge_freshness(
    last: LastSuccess | None,
    allowed: timedelta | None,
    now: datetime,
    generation: int | None = None,
    *,
    on_demand: bool = False,
) -> Freshness:
    """The Fresh condition; its message names moments, not ages, so that it changes only when the answer does.

    A policy that runs `on_demand` only is judged if an age is allowed, and otherwise as old as people let it be.
    """

    def condition(status: bool | None, reason: str, message: str) -> Condition:
        return build_condition(
            FRESH, status=status, reason=reason, message=message, now=now, generation=generation
        )

    if on_demand and allowed is None:
        return Freshness(condition(None, ON_DEMAND, _on_demand(last)), None)
    if last is None:
        return Freshness(condition(False, "NoVerifiedBackup", "There is no verified backup yet."), None)
    shown = f"The newest verified backup, {last.run}, shows the data of {format_time(last.time)}"
    if allowed is None:
        message = f"{shown}; how long it is fresh follows from spec.schedule, which cannot be read."
        return Freshness(condition(None, "ScheduleInvalid", message), None)
    until = last.time + allowed
    if last.time > now + CLOCK_TOLERANCE:
        message = f"{shown}, which lies ahead: a clock was or is wrong; nothing can be said of its age."
        return Freshness(condition(None, "ClockSuspect", message), until)
    if now > until:
        message = f"{shown}; it became older than {format_duration(allowed)} at {format_time(until)}."
        return Freshness(condition(False, "Stale", message), until)
    return Freshness(condition(True, "Fresh", f"{shown}; it is fresh until {format_time(until)}."), until)


def _on_demand(last: LastSuccess | None) -> str:
    shown = f"shows the data of {format_time(last.time)}" if last is not None else "has yet to be made"
    return f"The policy runs on demand only and asks for no age (spec.freshness.maxAge): its newest backup {shown}."
