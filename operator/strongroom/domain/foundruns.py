"""A BackupRun from a manifest that was found in a store: its name, its body, its status, and its copies as listings show them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from strongroom.api.backuprun import BackupRunSpec, BackupRunStatus
from strongroom.api.conditions import SUCCEEDED, build_condition
from strongroom.api.errors import Reason
from strongroom.api.fields import format_time
from strongroom.api.group import API_VERSION
from strongroom.api.kinds import BACKUP_RUN
from strongroom.api.labels import (
    FOUND_LABEL,
    MANAGED_BY_LABEL,
    MANAGER,
    ORIGIN_RUN_ANNOTATION,
    ORIGIN_UID_ANNOTATION,
    POLICY_LABEL,
)
from strongroom.api.manifest import MANIFEST_NAME
from strongroom.api.result import CataloguePoint, Copy
from strongroom.domain.copies import PRUNED

MOST_COPIES = 8


def build_found_run(point: CataloguePoint, store: str, namespace: str, name: str) -> dict[str, Any]:
    """The object of a run that was found. Its marks stand in it from the first moment: it must never be started.

    The slot is set whatever the reason: without it the run would show the moment when it was found.
    """
    spec = BackupRunSpec(policy=point.policy, reason=point.reason, slot=point.slot)
    meta = {
        "name": name,
        "namespace": namespace,
        "labels": {POLICY_LABEL: point.policy, MANAGED_BY_LABEL: MANAGER, FOUND_LABEL: store},
        "annotations": {ORIGIN_RUN_ANNOTATION: point.run, ORIGIN_UID_ANNOTATION: point.run_uid},
    }
    return {"apiVersion": API_VERSION, "kind": BACKUP_RUN.kind, "metadata": meta, "spec": spec.to_api()}


def build_found_status(
    point: CataloguePoint, store: str, now: datetime, generation: int | None = None
) -> BackupRunStatus:
    """The status of a run that was found: as the manifest tells, and what was not looked at is said."""
    changed = point.outcome == "Partial"
    condition = build_condition(
        SUCCEEDED,
        status=not changed,
        reason=Reason.FilesChanged.name if changed else "Succeeded",
        message=f"Rebuilt from its manifest in store {store} at {format_time(now)}: found there, not read back since.",
        now=now,
        generation=generation,
    )
    return BackupRunStatus(
        observed_generation=generation or 0,
        phase="Partial" if changed else "Succeeded",
        conditions=[condition],
        policy_uid=point.policy_uid,
        start_time=point.started_at,
        completion_time=point.finished_at,
        duration_seconds=round(max(0.0, (point.finished_at - point.started_at).total_seconds()), 1),
        contents="Changed" if changed else "Whole",
        copies=[found_copy(point, store)],
        message=condition.message,
        **_told(point),
    )


def with_found_copy(status: BackupRunStatus, point: CataloguePoint, store: str) -> BackupRunStatus:
    """The status of a terminal run once its copy in a store was found.

    A run that retention was thought to have deleted everywhere is back with this copy alone. One that failed after its
    commit learns what it has made; its phase stays.
    """
    copies = list(status.copies)
    if status.pruned_time is not None:
        copies = [_pruned_copy(copy) for copy in copies]
    update: dict[str, Any] = {"copies": _put(copies, found_copy(point, store)), "pruned_time": None}
    if not status.artifacts or status.recovery_point is None:
        update |= _told(point)
    return status.model_copy(update=update)


def with_lost_copy(status: BackupRunStatus, store: str, reason: str, message: str) -> BackupRunStatus:
    """The status of a terminal run whose copy in a store has gone, or is not whole; nothing changes where none was good."""
    old = next((copy for copy in status.copies if copy.store == store and copy.state == "Succeeded"), None)
    if old is None:
        return status
    lost = old.model_copy(update={"state": "Failed", "reason": reason, "message": message})
    return status.model_copy(update={"copies": _put(status.copies, lost)})


def found_copy(point: CataloguePoint, store: str) -> Copy:
    """A copy as its manifest tells of it."""
    proofs = [artifact.verification.time for artifact in point.artifacts if artifact.verification is not None]
    return Copy(
        store=store,
        state="Succeeded",
        message="Found in the store with all of its files; their bytes were not read back since.",
        manifest_key=f"{point.recovery_point}/{MANIFEST_NAME}",
        verified_time=max(proofs, default=None),
    )


def _told(point: CataloguePoint) -> dict[str, Any]:
    return {
        "recovery_point": point.recovery_point,
        "size_bytes": sum(artifact.stored_bytes for artifact in point.artifacts),
        "artifacts": point.artifacts,
        "manifest_sha256": point.manifest_sha256,
    }


def _pruned_copy(copy: Copy) -> Copy:
    gone = {"state": "Failed", "reason": PRUNED, "message": "Retention deleted it from this store."}
    return copy.model_copy(update=gone) if copy.state == "Succeeded" else copy


def _put(copies: Sequence[Copy], new: Copy) -> list[Copy]:
    if all(copy.store != new.store for copy in copies):
        return [*copies, new][:MOST_COPIES]
    return [new if copy.store == new.store else copy for copy in copies]
