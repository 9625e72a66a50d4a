"""When the catalogue of a store is read, from which hosts, how far a walk has come, and what the store's status says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from strongroom.api.backupstore import BackupStoreStatus
from strongroom.api.conditions import (
    READY,
    SYNCED,
    Condition,
    build_condition,
    find_condition,
    with_condition,
)
from strongroom.api.fields import SecretKeyReference, format_time
from strongroom.api.labels import SYNC_REQUESTED_ANNOTATION
from strongroom.api.resources import BackupPolicy, BackupStore
from strongroom.api.result import CatalogueReport
from strongroom.domain.catalogues import Listing, Trust, Verdict, judge_point
from strongroom.domain.schedule import jitter_offset

SYNC_EVERY = timedelta(hours=6)
SYNC_SPREAD = timedelta(hours=1)
SYNC_AGAIN = timedelta(minutes=10)
"""After a walk that failed; one that was asked for anew begins at once."""
_NAMED = 3


@dataclass(frozen=True)
class Walk:
    """One reading of all that a store holds of its namespace, part by part and host by host, as far as it has come."""

    generation: int
    request: str | None
    """The request that it answers, if any."""
    began: datetime
    """Exact: two walks in one second have Jobs of their own."""
    hosts: tuple[str, ...]
    """Still to be asked; the first is at work."""
    absent: tuple[str, ...] = ()
    """Hosts that should be asked and cannot: what only they see would be missed."""
    after: str | None = None
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    counts: Mapping[Verdict, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    """Some of what is damaged or refused."""

    @property
    def is_over(self) -> bool:
        """Whether all has been read that can be."""
        return not self.hosts

    @property
    def is_whole(self) -> bool:
        """Whether what was not met is not there."""
        return self.is_over and not self.absent

    def listing(self, store: str, trust: Trust) -> Listing:
        """As the decisions see it."""
        return Listing(store, self.began.replace(microsecond=0), trust)  # statuses hold whole seconds

    def count(self, verdict: Verdict) -> int:
        """Recovery points with this verdict."""
        return self.counts.get(verdict, 0)

    def with_part(self, report: CatalogueReport, trust: Trust) -> "Walk":
        """The walk after one more part."""
        seen, counts, bad = dict(self.seen), dict(self.counts), list(self.examples)
        for point in report.points:
            seen[point.run_uid] = seen.get(point.run_uid, frozenset()) | {point.recovery_point}
            verdict = judge_point(point, trust)
            counts[verdict] = counts.get(verdict, 0) + 1
            if verdict != "Found":
                bad.append(point.recovery_point)
        counts["Damaged"] = counts.get("Damaged", 0) + len(report.damaged)
        bad += report.damaged
        more = report.next is not None
        return replace(
            self,
            seen=seen,
            counts=counts,
            examples=tuple(bad[:_NAMED]),
            hosts=self.hosts if more else self.hosts[1:],
            after=report.next if more else None,
        )


@dataclass(frozen=True)
class Synced:
    """The last walk of this process: for which specification, when it ended, and whether it went well."""

    generation: int
    ended: datetime
    succeeded: bool
    request: str | None


def next_sync(store: BackupStore, last: Synced | None, now: datetime) -> datetime | None:
    """When the store's catalogue must be read next (it may be past); None while the store cannot be.

    A process that has not read it yet does so at once: who starts with nothing learns from the stores what there is.
    """
    ready = find_condition(store.status.conditions, READY)
    if ready is None or ready.status != "True" or ready.observed_generation != store.meta.generation:
        return None
    if last is None or last.generation != store.meta.generation or last.ended > now:
        return now
    if pending_request(store) not in (None, last.request):
        return now
    if not last.succeeded:
        return last.ended + SYNC_AGAIN
    return last.ended + SYNC_EVERY + jitter_offset(store.meta.uid, SYNC_SPREAD)


def pending_request(store: BackupStore) -> str | None:
    """The request that has not been answered, if any."""
    asked = store.meta.annotations.get(SYNC_REQUESTED_ANNOTATION, "")[:256]
    return asked if asked and asked != store.status.last_sync_request else None


def begin_walk(store: BackupStore, hosts: Sequence[str], live: Sequence[str], now: datetime) -> Walk:
    """Ask one host, since all see the same; but of a folder on the machine itself every host has one of its own."""
    asked, absent = tuple(sorted(live)), tuple(sorted(set(hosts) - set(live)))
    if store.spec.local is None:
        asked, absent = asked[:1], ()
    return Walk(store.meta.generation, pending_request(store), now, asked, absent)


def find_trust(policies: Sequence[BackupPolicy], namespace: str) -> tuple[Trust, list[SecretKeyReference]]:
    """Which policies of the namespace ask for signatures, and the keys that they trust."""
    demanding = [p for p in policies if p.meta.namespace == namespace and p.spec.signing is not None]
    keys: dict[SecretKeyReference, None] = {}
    for policy in demanding:
        if (signing := policy.spec.signing) is not None:
            keys[signing.private_key_secret] = None
            if signing.trusted_keys_secret is not None:
                keys[signing.trusted_keys_secret] = None
    return Trust(frozenset(p.meta.name for p in demanding), has_keys=bool(keys)), list(keys)


def synced_status(store: BackupStore, walk: Walk, now: datetime) -> BackupStoreStatus:
    """The store's status after a walk that ended well."""
    return store.status.model_copy(
        update={
            "last_sync_time": now,
            "last_sync_request": walk.request or store.status.last_sync_request,
            "points_found": walk.count("Found"),
            "points_damaged": walk.count("Damaged"),
            "points_refused": walk.count("Refused"),
            "conditions": with_condition(store.status.conditions, _synced(store, walk, now)),
        }
    )


def failed_status(
    store: BackupStore, walk: Walk, reason: str, message: str, now: datetime
) -> BackupStoreStatus:
    """The store's status after a walk that failed: what was known of it stays."""
    condition = build_condition(
        SYNCED, status=False, reason=reason, message=message, now=now, generation=store.meta.generation
    )
    return store.status.model_copy(
        update={
            "last_sync_request": walk.request or store.status.last_sync_request,
            "conditions": with_condition(store.status.conditions, condition),
        }
    )


def _synced(store: BackupStore, walk: Walk, now: datetime) -> Condition:
    damaged, refused = walk.count("Damaged"), walk.count("Refused")
    told = [f"{walk.count('Found')} recovery points found at {format_time(walk.began)}."]
    if damaged:
        told.append(f"{damaged} are damaged: their manifest cannot be read, or files of them are missing.")
    if refused:
        told.append(f"{refused} are not trusted: their signature is invalid, missing or by an unknown key.")
    if walk.examples:
        told.append(f"For example {', '.join(walk.examples)}.")
    if walk.absent:
        told.append(f"Not asked, because it is not alive: {', '.join(walk.absent)}.")
    reason = (
        "PointsRefused"
        if refused
        else "PointsDamaged"
        if damaged
        else "HostsAbsent"
        if walk.absent
        else "Synced"
    )
    return build_condition(
        SYNCED,
        status=reason == "Synced",
        reason=reason,
        message=" ".join(told),
        now=now,
        generation=store.meta.generation,
    )
