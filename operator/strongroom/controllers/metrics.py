"""Metrics about policies, hosts and stores, made anew at each scrape from what is observed."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from strongroom.api.backuprun import TERMINAL_PHASES
from strongroom.controllers.measures import (
    DrillMeasures,
    HostMeasures,
    Measures,
    Name,
    PolicyMeasures,
    StoreHealth,
    StoreMeasures,
)
from strongroom.controllers.settings import Clock
from strongroom.controllers.tally import Tally
from strongroom.domain.freshness import CLOCK_TOLERANCE

Value = Callable[[PolicyMeasures, float], float | None]
Measured = TypeVar("Measured", HostMeasures, StoreHealth)

_PREFIX = "strongroom_policy_"


def _since(moment: float | None, now: float) -> float | None:
    return None if moment is None else max(0.0, now - moment)


def _freshness(policy: PolicyMeasures, now: float) -> float | None:
    """Nothing for a policy without a schedule that asks for no age: it is neither fresh nor stale."""
    return None if policy.on_demand and policy.max_age is None else float(_is_fresh(policy, now))


def _is_fresh(policy: PolicyMeasures, now: float) -> bool:
    """Computed at the moment of asking: a policy turns stale even when the operator stands still.

    A backup that lies ahead was made by a wrong clock, or is looked at by one: nothing can be said of its age.
    """
    if policy.last_success is None or policy.max_age is None:
        return False
    return -CLOCK_TOLERANCE.total_seconds() <= now - policy.last_success <= policy.max_age


def _are_copies_satisfied(policy: PolicyMeasures, now: float) -> bool:
    """Computed at the moment of asking, as freshness is."""
    until = policy.copies_satisfied_until
    return policy.copies_satisfied and (until is None or now <= until)


_GAUGES: tuple[tuple[str, str, Value], ...] = (
    (
        "last_success_timestamp_seconds",
        "Moment that the newest verified backup shows.",
        lambda p, _: p.last_success,
    ),
    ("age_seconds", "Age of the newest verified backup.", lambda p, now: _since(p.last_success, now)),
    ("expected_interval_seconds", "Longest gap of the schedule.", lambda p, _: p.expected_interval),
    ("max_age_seconds", "Age at which the policy stops being fresh.", lambda p, _: p.max_age),
    ("size_bytes", "Stored bytes of the newest verified backup, one copy.", lambda p, _: p.size_bytes),
    ("duration_seconds", "Seconds that the newest verified backup took.", lambda p, _: p.duration_seconds),
    ("fresh", "1 while the newest verified backup is young enough.", _freshness),
    ("next_schedule_timestamp_seconds", "When the next scheduled run starts.", lambda p, _: p.next_schedule),
    ("ready", "1 while the policy can be carried out.", lambda p, _: float(p.ready)),
    (
        "copies_satisfied",
        "1 while enough stores hold a verified copy that is young enough (3-2-1).",
        lambda p, now: float(_are_copies_satisfied(p, now)),
    ),
    ("suspended", "1 while no scheduled run starts.", lambda p, _: float(p.suspended)),
    (
        "untrusted_points",
        "Recovery points in its stores that do not count: changed, moved, or not signed where they must be.",
        lambda p, _: p.untrusted_points,
    ),
)


_COPY_GAUGES: tuple[tuple[str, str, Callable[[StoreMeasures], float | None]], ...] = (
    ("copies", "Recovery points that the store holds.", lambda held: held.copies),
    (
        "copies_lacking",
        "Recovery points that are still to be copied to the store.",
        lambda held: held.lacking,
    ),
    (
        "copy_last_success_timestamp_seconds",
        "Moment that the newest verified backup in the store shows.",
        lambda held: held.newest,
    ),
)


def _is_drilled(drills: DrillMeasures, now: float) -> float:
    """Computed at the moment of asking, as freshness is."""
    return float(drills.drilled and (drills.until is None or now <= drills.until))


_DRILL_GAUGES: tuple[tuple[str, str, Callable[[DrillMeasures, float], float | None]], ...] = (
    ("drilled", "1 while the last drill passed, in time and lately enough.", _is_drilled),
    ("drill_last_timestamp_seconds", "When the newest drill that could run ended.", lambda d, _: d.last),
    ("drill_restore_seconds", "Seconds that the newest drill took to restore.", lambda d, _: d.seconds),
    ("drill_target_seconds", "Longest acceptable time to restore.", lambda d, _: d.target_seconds),
    (
        "drill_failed_checks",
        "Checks of the newest drill that were not as expected.",
        lambda d, _: d.failed_checks,
    ),
    ("drill_attempts", "Attempts at the drill that is due and could not run yet.", lambda d, _: d.attempts),
)


_HOST_GAUGES: tuple[tuple[str, str, Callable[[HostMeasures], float | None]], ...] = (
    ("ready", "1 while the host's agent renews its Lease.", lambda host: float(host.ready)),
    (
        "engine_ready",
        "1 while the host's Docker Engine answers; none for a host without one.",
        lambda host: None if host.engine_ready is None else float(host.engine_ready),
    ),
    (
        "uncovered_databases",
        "PostgreSQL servers found in containers of the host that no policy dumps.",
        lambda host: host.uncovered,
    ),
)


_STORE_GAUGES: tuple[tuple[str, str, Callable[[StoreHealth], float | None]], ...] = (
    (
        "ready",
        "1 while the store can be listed and written; none while nobody has looked.",
        lambda store: None if store.ready is None else float(store.ready),
    ),
    ("free_bytes", "Room that the store has left, where it says so.", lambda store: store.free_bytes),
    (
        "last_contact_timestamp_seconds",
        "When a Job last reached the store.",
        lambda store: store.last_contact,
    ),
)


class PolicyCollector(Collector):
    """Metrics made anew at each scrape from what is observed: a restart loses none of them."""

    def __init__(self, measures: Measures, tally: Tally, clock: Clock) -> None:
        """`measures` and `tally` are written by the event loop."""
        self._measures = measures
        self._tally = tally
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """All families."""
        now = self._clock().timestamp()
        policies = self._measures.policies.copy()
        for name, words, value in _GAUGES:
            gauge = GaugeMetricFamily(_PREFIX + name, words, labels=["namespace", "policy"])
            for key, policy in policies.items():
                number = value(policy, now)
                if number is not None:
                    gauge.add_metric(key, number)
            yield gauge
        yield from _collect_copies(policies)
        yield from _collect_drills(policies, now)
        yield from _collect_each("host", _HOST_GAUGES, self._measures.hosts.copy())
        yield from _collect_each("store", _STORE_GAUGES, self._measures.stores.copy())
        runs = CounterMetricFamily(
            "strongroom_runs", "Finished runs by outcome.", labels=["namespace", "policy", "outcome"]
        )
        # Counted from 0, so that the first failure is an increase.
        none = {(*key, phase): 0 for key in policies for phase in TERMINAL_PHASES}
        for outcome, count in {**none, **self._tally.outcomes()}.items():
            runs.add_metric(outcome, count)
        yield runs
        errors = CounterMetricFamily(
            "strongroom_reconcile_errors", "Reconciles that failed and were tried again.", labels=["kind"]
        )
        for kind, count in {"BackupPolicy": 0, "BackupRun": 0, **self._measures.errors}.items():
            errors.add_metric([kind], count)
        yield errors


def _collect_copies(policies: Mapping[Name, PolicyMeasures]) -> Iterator[Metric]:
    for name, words, measure in _COPY_GAUGES:
        gauge = GaugeMetricFamily(_PREFIX + name, words, labels=["namespace", "policy", "store"])
        for key, policy in policies.items():
            for store, held in policy.stores.items():
                if (number := measure(held)) is not None:
                    gauge.add_metric([*key, store], number)
        yield gauge
    catch_ups = GaugeMetricFamily(
        f"{_PREFIX}catch_ups",
        "Runs with copies that are to be caught up: pending until tried, failed from then on.",
        labels=["namespace", "policy", "state"],
    )
    for key, policy in policies.items():
        catch_ups.add_metric([*key, "pending"], policy.catch_ups_pending)
        catch_ups.add_metric([*key, "failed"], policy.catch_ups_failed)
    yield catch_ups


def _collect_drills(policies: Mapping[Name, PolicyMeasures], now: float) -> Iterator[Metric]:
    for name, words, measure in _DRILL_GAUGES:
        gauge = GaugeMetricFamily(_PREFIX + name, words, labels=["namespace", "policy"])
        for key, policy in policies.items():
            number = None if policy.drills is None else measure(policy.drills, now)
            if number is not None:
                gauge.add_metric(key, number)
        yield gauge


def _collect_each(
    kind: str,
    gauges: tuple[tuple[str, str, Callable[[Measured], float | None]], ...],
    found: Mapping[Name, Measured],
) -> Iterator[Metric]:
    """Of hosts or stores: a gauge for each number, without those that nobody knows."""
    for name, words, measure in gauges:
        gauge = GaugeMetricFamily(f"strongroom_{kind}_{name}", words, labels=["namespace", kind])
        for key, measured in found.items():
            number = measure(measured)
            if number is not None:
                gauge.add_metric(key, number)
        yield gauge
