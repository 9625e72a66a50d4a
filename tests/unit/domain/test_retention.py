"""Retention against random histories and by example: the newest verified backups always remain."""

import dataclasses
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from strongroom.api.backuppolicy import Retention
from strongroom.domain.retention import RecoveryPoint, RetentionPlan, decide_retention

NOW = datetime(2026, 7, 1, tzinfo=UTC)
ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland")]

SPAN = timedelta(days=800)
COUNTED = ("keep_last", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly")

counts = st.none() | st.integers(1, 12)
rules_of_any_kind = st.builds(
    Retention,
    keep_last=counts,
    keep_daily=counts,
    keep_weekly=counts,
    keep_monthly=counts,
    keep_yearly=counts,
    keep_within=st.none() | st.sampled_from(["1h", "36h", "7d", "30d", "52w"]),
    min_keep=st.integers(1, 5),
    max_deletions=st.sampled_from([1, 5, 50]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[RecoveryPoint]:
    """Points in any order, some at one moment, some not verified, some partial, some in the future."""
    hours = draw(st.lists(st.integers(-48, 24 * 800), max_size=24))
    verified = draw(st.integers(0, 2 ** len(hours) - 1)) | draw(st.integers(0, 2 ** len(hours) - 1))
    partial = draw(st.integers(0, 2 ** len(hours) - 1))
    return [
        point(n, NOW - timedelta(hours=hour), verified >> n & 1, partial >> n & 1)
        for n, hour in enumerate(hours)
    ]


def point(number: int, time: datetime, verified: int, partial: int) -> RecoveryPoint:
    return RecoveryPoint(f"p/{number}", f"run-{number}", time, bool(verified), bool(partial and not verified))


held_runs = st.sets(st.integers(0, 24).map(lambda n: f"run-{n}"), max_size=3)


def newest_first(points: list[RecoveryPoint]) -> list[RecoveryPoint]:
    return sorted((p for p in points if p.verified), key=lambda p: (p.time, p.key), reverse=True)


@settings(max_examples=500, deadline=None)
@given(histories(), rules_of_any_kind, held_runs, st.sampled_from(ZONES))
def test_the_newest_verified_backups_always_remain(
    points: list[RecoveryPoint], rules: Retention, held: set[str], zone: ZoneInfo
) -> None:
    hold_to_the_promises(points, rules, held, zone)


def test_they_remain_in_10000_random_histories() -> None:
    chance = random.Random(
        20260102
    )  # hypothesis would spend its time on drawing: here only the histories count
    for _ in range(10_000):
        points = [
            point(n, NOW - chance.uniform(-0.01, 1) * SPAN, chance.random() < 0.6, chance.random() < 0.5)
            for n in range(chance.randrange(40))
        ]
        names = chance.sample(COUNTED, chance.randrange(len(COUNTED)))
        rules = Retention.model_validate(
            {
                **{name: chance.randrange(1, 15) for name in names},
                "keep_within": chance.choice([None, None, "36h", "30d"]),
                "min_keep": chance.randrange(1, 6),
                "max_deletions": chance.choice([5, 50]),
            }
        )
        held = {f"run-{chance.randrange(40)}" for _ in range(chance.randrange(3))}
        hold_to_the_promises(points, rules, held, chance.choice(ZONES))


def hold_to_the_promises(
    points: list[RecoveryPoint], rules: Retention, held: set[str], zone: ZoneInfo
) -> None:
    """Whatever the history and the rules are, this is so."""
    plan = decide_retention(points, rules, zone, held, NOW)
    deleted = set(plan.delete)
    remaining = [point for point in points if point not in deleted]
    protected = newest_first(points)[: rules.min_keep]
    assert not deleted & set(protected)
    assert newest_first(remaining)[: rules.min_keep] == protected
    # Everything else that must hold of any plan at all.
    assert all((point.verified or point.partial) and point.run not in held for point in deleted)
    assert len(deleted) <= rules.max_deletions
    assert set(plan.keep) == {point.key for point in remaining}
    assert not (plan.blocked and deleted)
    assert rules.has_rules or not deleted
    if any(point.time > NOW + timedelta(hours=1) for point in points):
        assert not deleted
    # What is not verified changes nothing for what is, unless it makes the clock suspect or the pass too large.
    if not plan.blocked and all(point.verified or point.time <= NOW for point in points):
        alone = decide_retention([p for p in points if p.verified], rules, zone, held, NOW)
        assert alone.delete == tuple(point for point in plan.delete if point.verified)
    for point in deleted:
        newer = [other for other in newest_first(points) if (other.time, other.key) > (point.time, point.key)]
        assert len(newer) >= rules.min_keep


@settings(max_examples=500, deadline=None)
@given(histories(), rules_of_any_kind, held_runs, st.sampled_from(ZONES))
def test_a_second_pass_deletes_nothing_more(
    points: list[RecoveryPoint], rules: Retention, held: set[str], zone: ZoneInfo
) -> None:
    first = decide_retention(points, rules, zone, held, NOW)
    remaining = [point for point in points if point not in first.delete]
    second = decide_retention(remaining, rules, zone, held, NOW)
    assert second.delete == ()
    assert decide_retention(list(reversed(points)), rules, zone, held, NOW) == first


@settings(max_examples=500, deadline=None)
@given(histories(), rules_of_any_kind, st.data())
def test_a_rule_more_never_keeps_less(
    points: list[RecoveryPoint], rules: Retention, data: st.DataObject
) -> None:
    rules = rules.model_copy(update={"max_deletions": 10_000})
    name = data.draw(
        st.sampled_from(["keep_last", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "min_keep"])
    )
    more = rules.model_copy(update={name: (getattr(rules, name) or 0) + data.draw(st.integers(1, 5))})
    if not rules.has_rules:
        return
    fewer = decide_retention(points, rules, ZONES[0], set(), NOW)
    assert set(decide_retention(points, more, ZONES[0], set(), NOW).delete) <= set(fewer.delete)


def daily(days: int, hour: int = 12) -> list[RecoveryPoint]:
    first = NOW - timedelta(days=days)
    return [
        RecoveryPoint(
            f"p/{day:03}", f"run-{day}", first + timedelta(days=day, hours=hour - 24), verified=True
        )
        for day in range(days)
    ]


def decide(points: list[RecoveryPoint], zone: str = "UTC", **rules: object) -> RetentionPlan:
    return decide_retention(points, Retention(max_deletions=10_000, **rules), ZoneInfo(zone), set(), NOW)


def test_without_a_rule_everything_is_kept() -> None:
    plan = decide(daily(100))
    assert plan.delete == ()
    assert plan.keep["p/000"] == ("no keep rule is set",)


def test_a_backup_is_kept_if_any_rule_keeps_it_and_the_plan_says_which() -> None:
    points = daily(400)
    plan = decide(points, keep_daily=7, keep_weekly=4, keep_monthly=12)
    assert len(plan.keep) == 7 + 2 + 11
    assert plan.keep["p/399"] == ("minKeep", "keepDaily", "keepWeekly", "keepMonthly")
    assert [point.key for point in plan.delete] == sorted(point.key for point in plan.delete)


def test_days_are_those_of_the_policys_zone() -> None:
    late, later = datetime(2026, 6, 1, 21, tzinfo=UTC), datetime(2026, 6, 1, 23, tzinfo=UTC)
    points = [RecoveryPoint("p/a", "a", late, verified=True), RecoveryPoint("p/b", "b", later, verified=True)]
    assert len(decide(points, keep_daily=5).delete) == 1
    assert decide(points, "Europe/Berlin", keep_daily=5).delete == ()


def test_weeks_are_iso_weeks_over_the_turn_of_the_year() -> None:
    moments = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 4, 5)] + [datetime(2025, 12, 29, tzinfo=UTC)]
    points = [RecoveryPoint(f"p/{m:%j}", f"{m:%j}", m, verified=True) for m in moments]
    assert [point.time.day for point in decide(points, keep_weekly=9).delete] == [29, 1]


def test_keep_within_counts_from_the_newest_and_not_from_now() -> None:
    points = [dataclasses.replace(p, time=p.time - timedelta(days=300)) for p in daily(30)]
    assert len(decide(points, keep_within="7d").keep) == 8


def test_unverified_backups_are_neither_counted_nor_deleted() -> None:
    points = [dataclasses.replace(p, verified=n % 2 == 0) for n, p in enumerate(daily(10))]
    plan = decide(points, keep_last=2)
    assert [point.key for point in plan.delete] == ["p/000", "p/002", "p/004"]
    assert plan.keep["p/009"] == ("not verified: neither counted nor deleted",)


def with_partial(points: list[RecoveryPoint], *numbers: int) -> list[RecoveryPoint]:
    return [
        dataclasses.replace(p, verified=False, partial=True) if n in numbers else p
        for n, p in enumerate(points)
    ]


def test_a_partial_backup_goes_once_enough_verified_ones_are_newer_and_no_rule_keeps_it() -> None:
    plan = decide(with_partial(daily(10), 1, 8, 9), keep_daily=3)
    assert plan.keep["p/009"] == ("partial, minKeep", "keepDaily")
    assert "p/008" in plan.keep
    assert [point.key for point in plan.delete] == ["p/000", "p/001", "p/002", "p/003", "p/004"]


def test_a_partial_backup_takes_no_place_from_a_verified_one() -> None:
    plan = decide(with_partial(daily(10), 7, 8, 9), keep_last=2)
    assert {key for key, reasons in plan.keep.items() if "keepLast" in reasons} == {
        "p/005",
        "p/006",
        "p/008",
        "p/009",
    }


def test_as_long_as_too_few_verified_backups_are_newer_every_partial_one_stays() -> None:
    points = with_partial(daily(10), *range(1, 10))
    assert decide(points, keep_last=1).delete == ()
    assert decide(with_partial(daily(10), *range(1, 9)), keep_last=1, min_keep=2).delete == ()


def test_a_partial_backup_of_a_clock_that_leapt_ahead_deletes_no_other() -> None:
    now = NOW + timedelta(days=365)
    leapt = RecoveryPoint("p/leapt", "leapt", now, verified=False, partial=True)
    points = [*with_partial(daily(30), 3, 4), leapt]
    plan = decide_retention(points, Retention(keep_within="29d"), ZONES[0], set(), now)
    assert plan.delete == ()
    assert "clock is suspect" in str(plan.blocked)


def test_a_clock_that_went_back_stops_deletion() -> None:
    points = daily(10)
    behind = points[-1].time - timedelta(hours=1)
    plan = decide_retention(points, Retention(keep_last=1), ZONES[0], set(), behind)
    assert plan.delete == ()
    assert "clock is suspect" in str(plan.blocked)


def test_a_clock_that_leapt_ahead_does_not_empty_the_history() -> None:
    leapt = RecoveryPoint("p/leapt", "leapt", NOW + timedelta(days=365), verified=True)
    now = leapt.time + timedelta(minutes=1)
    plan = decide_retention([*daily(30), leapt], Retention(keep_within="14d"), ZONES[0], set(), now)
    assert plan.delete == ()
    assert "clock is suspect" in str(plan.blocked)


def test_more_deletions_than_allowed_are_none_at_all() -> None:
    plan = decide_retention(daily(60), Retention(keep_last=1, max_deletions=50), ZONES[0], set(), NOW)
    assert plan.delete == ()
    assert "59 backups would be deleted" in str(plan.blocked)
    assert len(plan.keep) == 60


@pytest.mark.parametrize(
    "field", ["keepLast", "keepDaily", "keepWeekly", "keepMonthly", "keepYearly", "minKeep"]
)
@pytest.mark.parametrize("value", [0, -1, "0"])
def test_zero_is_no_way_to_say_delete_everything(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Retention.model_validate({field: value})


def test_a_missing_or_null_rule_is_no_rule() -> None:
    build: Callable[[dict[str, object]], Retention] = Retention.model_validate
    assert not build({}).has_rules
    assert not build({"keepLast": None}).has_rules


@settings(max_examples=300, deadline=None)
@given(
    histories(),
    st.lists(st.integers(0, 60), max_size=6),
    rules_of_any_kind,
    st.sampled_from(ZONES),
    held_runs,
)
def test_safety_backups_change_nothing_of_what_is_kept_of_the_others(points, ages, rules, zone, held):
    before = [
        RecoveryPoint(f"s/{n}", f"safety-{n}", NOW - timedelta(days=days), True, safety=True)
        for n, days in enumerate(ages)
    ]
    alone = decide_retention(points, rules.model_copy(update={"max_deletions": 50}), zone, held, NOW)
    beside = decide_retention(
        [*points, *before], rules.model_copy(update={"max_deletions": 50}), zone, held, NOW
    )
    if alone.blocked is None and beside.blocked is None:
        assert {p.key for p in beside.delete if not p.safety} == {p.key for p in alone.delete}


def test_a_safety_backup_goes_by_its_age_and_only_beside_a_verified_one():
    rules = Retention(keep_last=1, keep_safety="14d")
    old, young = (
        RecoveryPoint(f"s/{days}", f"s-{days}", NOW - timedelta(days=days), True, safety=True)
        for days in (15, 13)
    )
    good = point(1, NOW - timedelta(days=20), 1, 0)
    assert decide_retention([old, young, good], rules, ZONES[0], set(), NOW).delete == (old,)
    assert decide_retention([old, young, good], rules, ZONES[0], {"s-15"}, NOW).delete == ()
    assert decide_retention([old, young], rules, ZONES[0], set(), NOW).delete == ()
    assert decide_retention([old, good], Retention(), ZONES[0], set(), NOW).delete == ()
