"""What must be remembered of each run to decide about its policy: small, because there are thousands."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.backuprun import TERMINAL_PHASES
from strongroom.api.conditions import COPIES_SATISFIED, SUCCEEDED, find_condition
from strongroom.api.labels import FOUND_LABEL, ORIGIN_RUN_ANNOTATION, ORIGIN_UID_ANNOTATION, POLICY_LABEL
from strongroom.api.resources import BackupRun, ObjectMeta
from strongroom.api.result import RetentionOutcome


@dataclass(frozen=True, slots=True)
class Deletions:
    """What retention really deleted in one store after a run."""

    store: str
    runs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lack:
    """A copy that a store was to hold and does not."""

    store: str
    state: str
    reason: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """What is known of a run's copy in one store."""

    store: str
    state: str
    reason: str | None
    verified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a condition says, without its times."""

    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One BackupRun, in short."""

    namespace: str
    name: str
    uid: str
    policy: str
    policy_uid: str | None
    reason: str
    slot: datetime | None
    moment: datetime
    """The moment that its backup shows: the slot, or when it was created."""
    phase: str
    result: str
    message: str
    completed: datetime | None
    size_bytes: int | None
    duration_seconds: float | None
    hold: bool
    pruned: bool
    good_stores: tuple[str, ...]
    deletions: tuple[Deletions, ...]
    blocked: tuple[str, ...]
    """Why retention deleted nothing, store by store."""
    is_labelled: bool
    is_owned: bool
    is_deleting: bool
    contents: str | None = None
    lacks: tuple[Lack, ...] = ()
    attempts: int = 0
    """Attempts to catch up copies that have ended."""
    attempted: datetime | None = None
    """When the last of them ended."""
    untrusted: tuple[str, ...] = ()
    """What lies in the stores and does not count, store by store."""
    untrusted_points: int = 0
    """How many that are, in all stores together."""
    judged: Judgement | None = None
    """Its condition CopiesSatisfied."""
    found_in: str | None = None
    """The store whose manifest it was rebuilt from; None for a run that was made here."""
    origin_run: str = ""
    """Its name in the stores: that of the run which made the backup."""
    identity: str = ""
    """Its uid in the stores."""
    recovery_point: str | None = None
    manifest_sha256: str | None = None
    pruned_at: datetime | None = None
    copies: tuple[CopyRecord, ...] = ()

    @property
    def is_terminal(self) -> bool:
        """Whether its phase will never change."""
        return self.phase in TERMINAL_PHASES

    @property
    def holds_artifacts(self) -> bool:
        """Whether at least one store still holds what it made."""
        return bool(self.good_stores) and not self.pruned


def _untrusted(done: RetentionOutcome) -> str:
    return f"{done.store}: {done.untrusted} recovery point{'s' * (done.untrusted != 1)}: {done.untrusted_message}"


def record_run(run: BackupRun) -> RunRecord:
    """The record of a run as the API gives it."""
    meta, status = run.meta, run.status
    if meta.creation_timestamp is None:
        raise ValueError(f"BackupRun {meta.name} was not read from an API server")
    succeeded = find_condition(status.conditions, SUCCEEDED)
    judged = find_condition(status.conditions, COPIES_SATISFIED)
    return RunRecord(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        policy=run.spec.policy,
        policy_uid=status.policy_uid,
        reason=run.spec.reason,
        slot=run.spec.slot,
        moment=run.spec.slot or meta.creation_timestamp,
        phase=status.phase,
        result=succeeded.reason if succeeded else "",
        message=succeeded.message if succeeded else "",
        completed=status.completion_time,
        size_bytes=status.size_bytes,
        duration_seconds=status.duration_seconds,
        hold=run.spec.hold,
        pruned=status.pruned_time is not None,
        good_stores=tuple(copy.store for copy in status.copies if copy.state == "Succeeded"),
        deletions=tuple(
            Deletions(done.store, frozenset(done.deleted_runs))
            for done in status.retention
            if done.deleted_runs and not done.dry_run
        ),
        blocked=tuple(f"{done.store}: {done.blocked}" for done in status.retention if done.blocked),
        untrusted=tuple(_untrusted(done) for done in status.retention if done.untrusted),
        untrusted_points=sum(done.untrusted for done in status.retention),
        is_labelled=meta.labels.get(POLICY_LABEL) == run.spec.policy,
        is_owned=bool(meta.owner_references),
        is_deleting=meta.deletion_timestamp is not None,
        contents=status.contents,
        lacks=tuple(
            Lack(copy.store, copy.state, copy.reason, copy.message)
            for copy in status.copies
            if copy.state != "Succeeded"
        ),
        attempts=status.catch_up.attempts if status.catch_up else 0,
        attempted=status.catch_up.last_time if status.catch_up else None,
        judged=None if judged is None else Judgement(judged.status, judged.reason, judged.message),
        found_in=meta.labels.get(FOUND_LABEL, "") if is_found(meta) else None,
        origin_run=name_in_stores(meta),
        identity=identity_in_stores(meta),
        recovery_point=status.recovery_point,
        manifest_sha256=status.manifest_sha256,
        pruned_at=status.pruned_time,
        copies=tuple(
            CopyRecord(copy.store, copy.state, copy.reason, copy.verified_time) for copy in status.copies
        ),
    )


def is_found(meta: ObjectMeta) -> bool:
    """Whether a run was rebuilt from a manifest: there is nothing to carry out, even while its status is not written."""
    return FOUND_LABEL in meta.labels or ORIGIN_UID_ANNOTATION in meta.annotations


def identity_in_stores(meta: ObjectMeta) -> str:
    """The run's uid in manifests: its own, but for a rebuilt run."""
    return meta.annotations.get(ORIGIN_UID_ANNOTATION, meta.uid)


def name_in_stores(meta: ObjectMeta) -> str:
    """The run's name in manifests: its own, but for a rebuilt run that found its name taken."""
    return meta.annotations.get(ORIGIN_RUN_ANNOTATION, meta.name)


def counts(record: RunRecord, spec: BackupPolicySpec) -> bool:
    """Whether it is a verified backup: it succeeded, or it lacked nothing but copies and by now has enough of them.

    Enough by the policy of now: as many as it asks for, of those that the run was to make in stores that are still its own.
    """
    if record.reason == "Safety" or not record.good_stores:
        return False  # what a restore has overwritten may be damaged
    if record.phase == "Succeeded":
        return True
    if record.phase != "Partial" or record.contents != "Whole":
        return False
    held = sum(store in spec.stores for store in record.good_stores)
    meant = held + sum(lack.store in spec.stores for lack in record.lacks)
    return 0 < min(spec.min_copies or meant, meant) <= held


def newest_success(records: Iterable[RunRecord], spec: BackupPolicySpec) -> RunRecord | None:
    """The verified backup that shows the latest moment, or None."""
    verified = (record for record in records if counts(record, spec))
    return max(verified, key=lambda record: (record.moment, record.name), default=None)


def newest_finished(records: Iterable[RunRecord]) -> RunRecord | None:
    """The run that became terminal last, or None; Safety runs are no word about the policy."""
    finished = (record for record in records if record.is_terminal and record.reason != "Safety")
    return max(finished, key=lambda record: (record.completed or record.moment, record.name), default=None)
