"""Which recovery points are kept? restic's rules (https://restic.readthedocs.io/en/stable/060_forget.html), made careful.

A point is kept if any rule keeps it. Only verified points count, and keep one another by the rules; what is neither
verified nor partial is no reason to delete anything and is left alone. A partial point (whole, proved, but of files that
changed while they were read) goes once enough verified ones are newer and no rule, applied to both together, keeps it.
A safety point shows what a restore has overwritten, which may be damaged: it counts for no rule, and goes by its age.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from strongroom.api.backuppolicy import Retention
from strongroom.api.fields import format_time, parse_duration

FUTURE_TOLERANCE = timedelta(minutes=10)
"""How far a point may lie ahead of the clock: clocks of two machines never agree to the second."""


@dataclass(frozen=True)
class RecoveryPoint:
    """One committed recovery point of a policy, as retention sees it. `key` is its prefix: unique in its store."""

    key: str
    run: str
    time: datetime
    verified: bool
    partial: bool = False
    """Whole and proved, but of files that changed meanwhile: never verified."""
    safety: bool = False
    """Made before a restore, of what that was to overwrite."""


@dataclass(frozen=True)
class RetentionPlan:
    """What is kept, with the rules that keep each (by key), and what is deleted, the oldest first.

    `blocked` says in words why nothing is deleted although the rules would.
    """

    keep: Mapping[str, tuple[str, ...]]
    delete: tuple[RecoveryPoint, ...] = field(default=())
    blocked: str | None = None


def decide_retention(
    points: Iterable[RecoveryPoint], rules: Retention, zone: tzinfo, held: set[str], now: datetime
) -> RetentionPlan:
    """Decide for all points of one policy in one store. `held` are names of runs that are pinned."""
    ordered = sorted(points, key=lambda point: (point.time, point.key), reverse=True)
    known = [point for point in ordered if point.verified or point.partial]
    reasons: dict[str, list[str]] = {point.key: [] for point in ordered}
    counted = [point for point in ordered if not point.safety]
    safety = [point for point in ordered if point.safety]
    for key, reason in (
        *_reasons(counted, rules, zone, held),
        *_safety_reasons(safety, counted, rules, held, now),
    ):
        reasons[key].append(reason)
    unwanted = tuple(point for point in reversed(known) if not reasons[point.key])
    blocked = _obstacle(ordered, rules, now, unwanted) if unwanted else None
    if blocked is not None:
        return RetentionPlan({key: tuple(words) for key, words in reasons.items()}, blocked=blocked)
    return RetentionPlan({key: tuple(words) for key, words in reasons.items() if words}, delete=unwanted)


def _reasons(
    ordered: Sequence[RecoveryPoint], rules: Retention, zone: tzinfo, held: set[str]
) -> Iterable[tuple[str, str]]:
    """Key and reason of everything that keeps a point."""
    verified = [point for point in ordered if point.verified]
    together = [point for point in ordered if point.verified or point.partial]
    yield from _reasons_of_any(ordered, rules, held)
    yield from ((point.key, "minKeep") for point in verified[: rules.min_keep])
    yield from ((point.key, "partial, minKeep") for point in _above(verified, rules.min_keep, together))
    yield from _kept_by_rules(verified, rules, zone)
    # A partial point must never take the place of a verified one: what they keep together counts for partial ones only.
    partial = {point.key for point in together if not point.verified}
    yield from ((key, name) for key, name in _kept_by_rules(together, rules, zone) if key in partial)


def _reasons_of_any(
    points: Sequence[RecoveryPoint], rules: Retention, held: set[str]
) -> Iterable[tuple[str, str]]:
    for point in points:
        if not (point.verified or point.partial):
            yield point.key, "not verified: neither counted nor deleted"
        elif not rules.has_rules:
            yield point.key, "no keep rule is set"
        if point.run in held:
            yield point.key, "hold"


def _safety_reasons(
    safety: Sequence[RecoveryPoint],
    counted: Sequence[RecoveryPoint],
    rules: Retention,
    held: set[str],
    now: datetime,
) -> Iterable[tuple[str, str]]:
    """What keeps safety points: their age, and that nothing else is there."""
    yield from _reasons_of_any(safety, rules, held)
    oldest = now - parse_duration(rules.keep_safety)
    yield from ((point.key, "keepSafety") for point in safety if point.time >= oldest)
    if not any(point.verified for point in counted):
        yield from ((point.key, "there is no other verified backup") for point in safety)


def _above(
    verified: Sequence[RecoveryPoint], least: int, together: Sequence[RecoveryPoint]
) -> list[RecoveryPoint]:
    """Partial points that fewer than `least` verified ones are newer than."""
    enough = set(verified[least - 1 : least])
    reached = next((n for n, point in enumerate(together) if point in enough), len(together))
    return [point for point in together[:reached] if not point.verified]


def _kept_by_rules(
    points: Sequence[RecoveryPoint], rules: Retention, zone: tzinfo
) -> Iterable[tuple[str, str]]:
    """Key and rule of each of these points, newest first, that a keep rule keeps among them."""
    yield from ((point.key, "keepLast") for point in points[: rules.keep_last or 0])
    if rules.keep_within is not None and points:
        oldest = points[0].time - parse_duration(rules.keep_within)
        yield from ((point.key, "keepWithin") for point in points if point.time >= oldest)
    for name, count, period in _periods(rules, zone):
        yield from ((point.key, name) for point in _newest_of_each(points, period, count))


def _periods(
    rules: Retention, zone: tzinfo
) -> Iterable[tuple[str, int, Callable[[RecoveryPoint], tuple[int, ...]]]]:
    """Each rule that counts periods: its name, how many it keeps, and the period that a point falls into."""

    def local(point: RecoveryPoint) -> datetime:
        return point.time.astimezone(zone)

    return (
        ("keepDaily", rules.keep_daily or 0, lambda point: local(point).timetuple()[:3]),
        ("keepWeekly", rules.keep_weekly or 0, lambda point: tuple(local(point).isocalendar()[:2])),
        ("keepMonthly", rules.keep_monthly or 0, lambda point: local(point).timetuple()[:2]),
        ("keepYearly", rules.keep_yearly or 0, lambda point: local(point).timetuple()[:1]),
    )


def _newest_of_each(
    points: Sequence[RecoveryPoint], period: Callable[[RecoveryPoint], tuple[int, ...]], count: int
) -> list[RecoveryPoint]:
    """The newest point of each of the last `count` periods that have one."""
    newest: dict[tuple[int, ...], RecoveryPoint] = {}
    for point in points if count else ():
        if newest.setdefault(period(point), point) is point and len(newest) == count:
            break
    return list(newest.values())


def _obstacle(
    ordered: Sequence[RecoveryPoint], rules: Retention, now: datetime, unwanted: Sequence[RecoveryPoint]
) -> str | None:
    """What stands against deleting: a suspect clock, or more deletions than one pass may make."""
    newest = ordered[0]
    if newest.time > now + FUTURE_TOLERANCE:
        return (
            f"the clock is suspect: backup {newest.run} is of {format_time(newest.time)}, "
            f"later than now ({format_time(now)})"
        )
    ordered = [point for point in ordered if not point.safety]
    leap = _leap([point for point in ordered if point.verified], rules)
    if any(point.partial for point in unwanted):
        leap = leap or _leap([point for point in ordered if point.verified or point.partial], rules)
    if leap is not None:
        return leap
    if len(unwanted) > rules.max_deletions:
        return f"{len(unwanted)} backups would be deleted, more than retention.maxDeletions {rules.max_deletions}"
    return None


def _leap(points: Sequence[RecoveryPoint], rules: Retention) -> str | None:
    """One point far ahead of all others would let keepWithin delete the whole history. Wait for a second one there."""
    if rules.keep_within is None or len(points) < 2:
        return None
    gap = points[0].time - points[1].time
    if gap <= parse_duration(rules.keep_within):
        return None
    return (
        f"the clock is suspect: the newest backup is {gap.days} days after the one before it, more than "
        f"keepWithin {rules.keep_within}; deletion waits for the next backup"
    )
