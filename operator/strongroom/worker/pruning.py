"""After a success: delete what retention no longer keeps, and sweep what dead attempts left. The manifest goes first."""

import itertools
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from strongroom.api.backuppolicy import Retention
from strongroom.api.errors import StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, policy_prefix
from strongroom.api.result import RetentionOutcome
from strongroom.api.workorder import BackupOrder, WorkOrder
from strongroom.domain.retention import RecoveryPoint, decide_retention
from strongroom.stores.store import KeyLockedError, Store
from strongroom.worker.catalogue import Catalogue, describe_untrusted, read_catalogue
from strongroom.worker.signatures import Trust

log = logging.getLogger(__name__)
_OWN_POINT = re.compile(r"\d{8}T\d{6}Z-[^/]+/[^/]+")
_TOLD = 1000
_TOLD_BYTES = 30_000
"""Of all stores together. A pass deletes no more than its result can tell: who is not told takes them for there."""


@dataclass
class _Pass:
    """Retention in one store as far as it has come."""

    name: str
    retention: Retention
    trust: Trust | None = None
    points: int = 0
    foreign: int = 0
    untrusted: Mapping[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    locks: list[KeyLockedError] = field(default_factory=list)

    def outcome(self, blocked: str | None) -> RetentionOutcome:
        """What is told of it."""
        return RetentionOutcome(
            store=self.name,
            kept=max(0, self.points - len(self.deleted)),
            foreign=self.foreign,
            untrusted=len(self.untrusted),
            untrusted_message=describe_untrusted(self.untrusted),
            deleted_runs=self.deleted,
            locked=len(self.locks),
            locked_until=min((lock.until for lock in self.locks if lock.until is not None), default=None),
            dry_run=self.retention.dry_run,
            blocked=blocked,
        )


def prune_store(
    name: str,
    store: Store,
    order: WorkOrder,
    backup: BackupOrder,
    check: Callable[[], None],
    trust: Trust | None = None,
) -> RetentionOutcome:
    """Carry out retention in one store. `check` raises when the worker is to end; it is asked between deletions.

    With `trust` only what is signed and trusted is counted, and only that is deleted.

    A failure deletes nothing more and is told, beside what was deleted until then. Nothing is raised: the backup is
    committed and stays good whatever happens here.
    """
    done = _Pass(name, backup.retention, trust)
    try:
        return done.outcome(_prune(done, store, order, backup, check))
    except StrongroomError as error:
        return done.outcome(f"deletion stopped: {error.message}")
    except Exception as error:
        log.exception("unexpected failure of retention")
        return done.outcome(f"deletion stopped by a fault of Strongroom: {type(error).__name__}: {error}")


def blocked_outcome(name: str, retention: Retention, why: str) -> RetentionOutcome:
    """Nothing was even looked at."""
    return RetentionOutcome(
        store=name, dry_run=retention.dry_run, blocked=why if retention.has_rules else None
    )


def _prune(
    done: _Pass, store: Store, order: WorkOrder, backup: BackupOrder, check: Callable[[], None]
) -> str | None:
    """Why nothing was deleted although rules are set, if so."""
    check()
    now = datetime.now(UTC)
    catalogue = read_catalogue(store, order.namespace, backup.policy, done.trust)
    done.points, done.untrusted = len(catalogue.points), catalogue.untrusted
    own = catalogue.point_of_run(order.run_uid)
    if own is None or not own.verified:
        return "the listing does not show the backup just made" if backup.retention.has_rules else None
    # A policy made again under an old name, or one of the same name elsewhere, may be for other data altogether.
    own_uids = {backup.policy_uid, *backup.adopted_uids}
    mine = [point for point in catalogue.points if point.manifest.policy_uid in own_uids]
    done.foreign = len(catalogue.points) - len(mine)
    plan = decide_retention(
        [point.for_retention() for point in mine],
        backup.retention,
        ZoneInfo(backup.time_zone),
        {*backup.held_runs, backup.run},
        now,
    )
    for point in _tellable(plan.delete, _TOLD_BYTES // len(order.stores)):
        check()
        _delete_point(store, catalogue, point, done)
    if not backup.retention.dry_run:
        check()
        _sweep(store, order, backup, catalogue, now)
    return plan.blocked


def _tellable(points: Sequence[RecoveryPoint], limit: int) -> list[RecoveryPoint]:
    """The first of them, as many as a result can name. The others wait for the next pass."""
    sizes = itertools.accumulate(len(point.run) + len('"",') for point in points)
    return [point for point, size in zip(points, sizes, strict=True) if size <= limit][:_TOLD]


def _delete_point(store: Store, catalogue: Catalogue, point: RecoveryPoint, done: _Pass) -> None:
    """Manifest first: from then on the point does not exist, whatever happens to the rest. A locked manifest stays with all of it."""
    if done.retention.dry_run:
        done.deleted.append(point.run)
        return
    try:
        store.delete(f"{point.key}/{MANIFEST_NAME}")
    except KeyLockedError as lock:
        done.locks.append(lock)
        return
    done.deleted.append(point.run)
    for key in catalogue.keys:
        if key.startswith(f"{point.key}/"):
            _delete_unless_locked(store, key)
    log.info("retention deleted %s", point.key)


def _delete_unless_locked(store: Store, key: str) -> bool:
    """What no manifest vouches for any more: a later pass sweeps it when its lock has ended. Whether it is gone."""
    try:
        store.delete(key)
    except KeyLockedError as lock:
        log.info("%s", lock.message)
        return False
    return True


def _sweep(store: Store, order: WorkOrder, backup: BackupOrder, catalogue: Catalogue, now: datetime) -> None:
    """Remove files of our naming that no manifest vouches for, once their worker must have ended at its deadline."""
    start = policy_prefix(order.namespace, backup.policy)
    before = now - timedelta(seconds=order.deadline_seconds)
    vouched = {point.prefix for point in catalogue.points} | catalogue.untrusted.keys()
    dead = (
        found.key
        for found in catalogue.keys.values()
        if _OWN_POINT.fullmatch(found.key.removeprefix(start)) is not None
        and found.modified < before
        and _point(found.key) not in vouched
    )
    for prefix, keys in itertools.groupby(dead, _point):
        if store.look(f"{prefix}/{MANIFEST_NAME}") is not None:
            log.warning("%s is committed, and the listing does not show it: nothing of it is swept", prefix)
            continue
        for key in keys:
            if _delete_unless_locked(store, key):
                log.info("swept %s, left by an attempt that was never committed", key)
    store.sweep(start, before)


def _point(key: str) -> str:
    return key.rpartition("/")[0]
