"""What is measured: numbers about each policy, and about the operator itself. The metrics are made from these."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from prometheus_client import CollectorRegistry, Histogram

from strongroom.api.backuppolicy import BackupPolicyStatus
from strongroom.api.resources import BackupPolicy

Name = tuple[str, str]
LATENESS_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


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


@dataclass(frozen=True, slots=True)
class HostMeasures:
    """A Docker host in numbers. What nobody can look at is None."""

    ready: bool
    engine_ready: bool | None = None
    uncovered: int | None = None
    """Databases found there that no policy dumps."""


@dataclass
class Measures:
    """Written by the event loop, read by the metrics' thread: dictionaries are only copied whole."""

    monotonic: Callable[[], float] = time.monotonic
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    policies: dict[Name, PolicyMeasures] = field(default_factory=dict)
    hosts: dict[Name, HostMeasures] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    """Failed reconciles by kind."""
    is_leader: bool = False
    last_beat: float = field(init=False)

    def __post_init__(self) -> None:
        """The first beat is the start."""
        self.last_beat = self.monotonic()
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

    def beat(self) -> None:
        """The event loop has ticked."""
        self.last_beat = self.monotonic()

    def silence_seconds(self) -> float:
        """How long ago the event loop last ticked."""
        return self.monotonic() - self.last_beat


def measure_policy(
    policy: BackupPolicy,
    status: BackupPolicyStatus,
    *,
    ready: bool,
    interval: timedelta | None,
    allowed: timedelta | None,
) -> PolicyMeasures:
    """The numbers of a policy with its newest status."""
    last = status.last_success
    return PolicyMeasures(
        ready=ready,
        last_success=last.time.timestamp() if last else None,
        expected_interval=interval.total_seconds() if interval else None,
        max_age=allowed.total_seconds() if allowed else None,
        size_bytes=last.size_bytes if last else None,
        duration_seconds=last.duration_seconds if last else None,
        next_schedule=status.next_schedule_time.timestamp() if status.next_schedule_time else None,
        suspended=policy.spec.suspend,
        on_demand=policy.spec.schedule is None,
    )
