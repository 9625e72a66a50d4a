"""What is measured: numbers about each policy, and about the operator itself. The metrics are made from these."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client import Counter as PrometheusCounter

from strongroom.api.backuppolicy import BackupPolicyStatus
from strongroom.api.backupstore import BackupStoreStatus
from strongroom.api.conditions import COPIES_SATISFIED, DRILLED, READY, find_condition
from strongroom.domain.drills import drilled_until
from strongroom.domain.freshness import max_age
from strongroom.domain.holdings import find_wanted
from strongroom.domain.policystatus import (
    PolicyFacts,
    copies_satisfied_until,
    drill_schedule,
    find_newest_look,
)
from strongroom.domain.schedule import longest_gap
from strongroom.kube.client import Answer

Name = tuple[str, str]
LATENESS_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


@dataclass(frozen=True, slots=True)
class StoreMeasures:
    """What one store of a policy holds and lacks."""

    copies: int
    lacking: int
    newest: float | None = None
    """The moment that the newest verified backup in it shows."""


@dataclass(frozen=True, slots=True)
class DrillMeasures:
    """A policy's drills in numbers."""

    drilled: bool
    """Whether the last one passed, in time and lately enough."""
    until: float | None = None
    """When it becomes too old."""
    last: float | None = None
    seconds: float | None = None
    target_seconds: int | None = None
    failed_checks: int = 0
    attempts: int = 0
    """Of the drill that is due and could not run yet."""


@dataclass(frozen=True, slots=True)
class PolicyMeasures:
    """A policy in numbers, as of its last reconcile; times as Unix seconds."""

    ready: bool
    last_success: float | None = None
    expected_interval: float | None = None
    max_age: float | None = None
    size_bytes: int | None = None
    duration_seconds: float | None = None
    next_schedule: float | None = None
    suspended: bool = False
    on_demand: bool = False
    copies_satisfied: bool = False
    copies_satisfied_until: float | None = None
    """When copies become too old, if they do."""
    stores: Mapping[str, StoreMeasures] = field(default_factory=dict)
    drills: DrillMeasures | None = None
    catch_ups_pending: int = 0
    catch_ups_failed: int = 0
    untrusted_points: int | None = None
    """None while no run has looked."""


@dataclass(frozen=True, slots=True)
class HostMeasures:
    """A Docker host in numbers. What nobody can look at is None."""

    ready: bool
    engine_ready: bool | None = None
    uncovered: int | None = None
    """Databases found there that no policy dumps."""


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """A store in numbers, for all policies. What nobody has looked at is None."""

    ready: bool | None = None
    free_bytes: int | None = None
    last_contact: float | None = None


@dataclass
class Measures:
    """Written by the event loop, read by the metrics' thread: dictionaries are only copied whole."""

    monotonic: Callable[[], float] = time.monotonic
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    policies: dict[Name, PolicyMeasures] = field(default_factory=dict)
    hosts: dict[Name, HostMeasures] = field(default_factory=dict)
    stores: dict[Name, StoreHealth] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    """Failed reconciles by kind."""
    is_leader: bool = False
    last_beat: float = field(init=False)
    last_answer: float = field(init=False)

    def __post_init__(self) -> None:
        """The first beat is the start."""
        self.last_beat = self.monotonic()
        self.last_answer = self.monotonic()
        self.api_requests = PrometheusCounter(
            "strongroom_api_requests",
            "Requests to the API server by verb and code (0: no answer).",
            ["verb", "code"],
            registry=self.registry,
        )
        self.tick_lateness = Histogram(
            "strongroom_tick_lateness_seconds",
            "How late the operator's regular look at everything was.",
            buckets=LATENESS_BUCKETS,
            registry=self.registry,
        )
        self.slot_lateness = Histogram(
            "strongroom_slot_lateness_seconds",
            "How long after its slot (and jitter) a scheduled run was made.",
            buckets=LATENESS_BUCKETS,
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "strongroom_reconcile_seconds", "How long one reconcile took.", registry=self.registry
        )

    def hear(self, answer: Answer) -> None:
        """The API server has answered, or has not."""
        self.api_requests.labels(answer.verb, str(answer.status)).inc()
        if 0 < answer.status < 500:
            self.last_answer = self.monotonic()

    def unanswered_seconds(self) -> float:
        """How long ago the API server last gave an answer that was its own."""
        return self.monotonic() - self.last_answer

    def beat(self) -> None:
        """The event loop has ticked."""
        self.last_beat = self.monotonic()

    def silence_seconds(self) -> float:
        """How long ago the event loop last ticked."""
        return self.monotonic() - self.last_beat


def measure_policy(facts: PolicyFacts, status: BackupPolicyStatus) -> PolicyMeasures:
    """The numbers of a policy with its newest status."""
    policy, schedule, last = facts.policy, facts.schedule, status.last_success
    wanted, look = find_wanted(policy, facts.records, facts.now), find_newest_look(facts.records)
    return PolicyMeasures(
        ready=_is_true(status, READY),
        last_success=last.time.timestamp() if last else None,
        expected_interval=longest_gap(schedule).total_seconds() if schedule else None,
        max_age=allowed.total_seconds() if (allowed := max_age(policy.spec, schedule)) else None,
        size_bytes=last.size_bytes if last else None,
        duration_seconds=last.duration_seconds if last else None,
        next_schedule=status.next_schedule_time.timestamp() if status.next_schedule_time else None,
        suspended=policy.spec.suspend,
        on_demand=policy.spec.schedule is None,
        copies_satisfied=_is_true(status, COPIES_SATISFIED),
        copies_satisfied_until=until.timestamp() if (until := copies_satisfied_until(facts)) else None,
        stores={
            held.store: StoreMeasures(
                held.points, held.lacking, held.newest_time.timestamp() if held.newest_time else None
            )
            for held in status.copies
        },
        drills=_measure_drills(facts, status),
        catch_ups_pending=sum(each.record.attempts == 0 for each in wanted),
        catch_ups_failed=sum(each.record.attempts > 0 for each in wanted),
        untrusted_points=None if look is None else look.untrusted_points,
    )


def measure_store(status: BackupStoreStatus) -> StoreHealth:
    """The numbers of a store with its newest status."""
    ready, contact = find_condition(status.conditions, READY), status.last_contact_time
    return StoreHealth(
        ready=None if ready is None or ready.status == "Unknown" else ready.status == "True",
        free_bytes=status.free_bytes,
        last_contact=contact.timestamp() if contact else None,
    )


def _measure_drills(facts: PolicyFacts, status: BackupPolicyStatus) -> DrillMeasures | None:
    if facts.policy.spec.drill is None:
        return None
    last, pending = status.last_drill, status.pending_drill
    until = drilled_until(facts.drills, drill_schedule(facts))
    return DrillMeasures(
        drilled=_is_true(status, DRILLED),
        until=until.timestamp() if until else None,
        last=last.time.timestamp() if last else None,
        seconds=last.restore_seconds if last else None,
        target_seconds=facts.policy.spec.drill.target_seconds,
        failed_checks=len(last.failed_checks) if last else 0,
        attempts=pending.attempt - 1 if pending else 0,
    )


def _is_true(status: BackupPolicyStatus, type_: str) -> bool:
    condition = find_condition(status.conditions, type_)
    return condition is not None and condition.status == "True"
