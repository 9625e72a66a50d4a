"""Copies that stores lack, made from a good copy: at the end of a backup, and by an order of their own. The source is not read."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, SIGNATURE_NAME, policy_prefix
from strongroom.api.workorder import CatchUpOrder
from strongroom.stores.store import KeyMissingError, Store
from strongroom.worker.attempt import Attempt
from strongroom.worker.catalogue import FoundManifest, find_trouble, read_manifest, read_whole
from strongroom.worker.claiming import claim_all
from strongroom.worker.copying import Copies
from strongroom.worker.ending import EndedError
from strongroom.worker.lanes import Lanes
from strongroom.worker.replicating import Point, Replication, prove_holders, write_mark
from strongroom.worker.signatures import Trust, build_trust
from strongroom.worker.storechecks import open_stores
from strongroom.worker.task import Done, Task

log = logging.getLogger(__name__)


def catch_up_behind(task: Task, min_copies: int | None, point: Point, attempt: Attempt, lanes: Lanes) -> None:
    """Copy to stores that were set aside, if too few hold the backup just made; what that does not achieve is left to an order.

    `lanes` have been left. Raises nothing: the backup is committed.
    """
    copies = attempt.copies
    origins = {name: store for name, store in copies.good.items() if name in copies.verified}
    targets = {name: copies.stores[name] for name in copies.behind}
    if copies.shortage(min_copies) is None or not targets or not origins:
        return
    task.progress.enter("CatchUp")

    def mark(name: str, store: Store) -> None:
        attempt.mark(name, store, point.content, point.signature)

    try:
        with task.ending.interrupted_again():
            lanes.await_end(targets)
            Replication(point, copies, origins, task.progress, mark).run(targets)
    except EndedError as ended:
        log.warning("copies that are behind stay so: %s", ended.failure.message)
    except StrongroomError as error:
        log.warning("copies that are behind stay so: %s", error.message)


def run_catch_up(task: Task, order: CatchUpOrder) -> tuple[Done, StrongroomError | None]:
    """Give the order's recovery point to those of its stores that lack it. The error is that of the first which still does.

    Raises StrongroomError when no store holds it whole: nothing was copied then. A committed copy that is found broken
    fails, and is left as it is.
    """
    task.progress.enter("Connect")
    copies = open_stores(task.order.stores, task.secrets, task.scratch)
    copies.each(lambda _, store: store.probe())
    with ExitStack() as claims:
        claim_all(claims, copies, policy_prefix(task.order.namespace, order.policy))
        return _catch_up(task, order, copies)


def _catch_up(task: Task, order: CatchUpOrder, copies: Copies) -> tuple[Done, StrongroomError | None]:
    if not order.recovery_point.startswith(policy_prefix(task.order.namespace, order.policy)):
        words = f"the work order: catchUp.recoveryPoint: {order.recovery_point} is not one of the policy's"
        raise StrongroomError(Reason.InvalidOrder, words)
    look = _Look(task.order.namespace, order, build_trust(order.signing, task.secrets.read))
    found = {name: each for name, each in copies.each(lambda _, store: look.at(store)).items() if each}
    holders = _of_one_manifest(copies, found)
    if not holders:
        words = f"no store of the order holds {order.recovery_point}"
        raise next(iter(copies.failures.values()), StrongroomError(Reason.StoreFailed, words))
    targets = {name: store for name, store in copies.good.items() if name not in found}
    first = next(iter(holders))
    point = _read_point(task, order, copies.stores[first], found[first])
    task.progress.enter("ReadBack")
    origins = prove_holders(point, copies, holders)
    if not origins:
        raise next(iter(copies.failures.values()))
    for name in targets:
        copies.set_aside(name, "not copied yet")
    failure = _replicate(task, point, copies, origins, targets) or copies.shortage(None)
    done = Done(
        recovery_point=point.prefix,
        manifest_sha256=found[first].sha256,
        artifacts=[file.artifact for file in point.manifest.files],
        copies=copies.report(f"{point.prefix}/{MANIFEST_NAME}", task.secrets.hide),
    )
    return done, failure


def _replicate(
    task: Task, point: Point, copies: Copies, origins: dict[str, Store], targets: Mapping[str, Store]
) -> StrongroomError | None:
    """An order to end is returned: what was caught up until then is told beside it."""
    if not targets:
        return None
    try:
        task.progress.expected_bytes = point.manifest.stored_bytes
        task.progress.enter("CatchUp")
        Replication(point, copies, origins, task.progress, lambda _, store: write_mark(store, point)).run(
            targets
        )
    except EndedError as ended:
        for name in targets.keys() & copies.behind.keys():
            copies.set_aside(name, ended.failure.message)
        return ended.failure
    except StrongroomError as error:
        return error
    return None


@dataclass(frozen=True)
class _Look:
    """What a store holds of the order's recovery point."""

    namespace: str
    order: CatchUpOrder
    trust: Trust | None

    def at(self, store: Store) -> FoundManifest | None:
        """Its manifest, if it is the right one; None if there is none. ArtifactCorrupt if it is another, or does not count."""
        prefix = self.order.recovery_point
        keys = {found.key: found for found in store.list(f"{prefix}/")}
        try:
            found = read_manifest(store, prefix, keys, self.trust)
        except KeyMissingError:
            return None
        place = (self.namespace, self.order.policy)
        trouble = find_trouble(prefix, found, place, signed=self.trust is not None)
        if found is not None and found.manifest.policy_uid != self.order.policy_uid:
            trouble = trouble or "its manifest is of another policy of this name"
        if found is None or trouble is not None:
            raise StrongroomError(Reason.ArtifactCorrupt, f"{prefix}: {trouble}")
        if self.order.manifest_sha256 not in (None, found.sha256):
            raise StrongroomError(
                Reason.ArtifactCorrupt,
                f"{prefix}: its manifest has SHA-256 {found.sha256[:12]}…, and not that which the run has written",
            )
        return found


def _of_one_manifest(copies: Copies, found: Mapping[str, FoundManifest]) -> dict[str, Store]:
    """The stores that hold the same as the first of them; who holds another manifest under this prefix fails."""
    digests = {name: each.sha256 for name, each in found.items()}
    first = next(iter(digests.values()), None)
    for name, digest in digests.items():
        if digest != first:
            words = f"store {name}: another manifest lies there than in store {next(iter(digests))}"
            copies.failures[name] = StrongroomError(Reason.ArtifactCorrupt, words)
    return {name: store for name, store in copies.good.items() if name in found}


def _read_point(task: Task, order: CatchUpOrder, store: Store, found: FoundManifest) -> Point:
    is_signed = found.manifest.signed_by is not None
    signature = read_whole(store, f"{order.recovery_point}/{SIGNATURE_NAME}") if is_signed else None
    cipher = task.build_cipher(order.encryption) if found.manifest.encryption is not None else None
    return Point(order.recovery_point, found.manifest, found.content, signature, cipher)
