"""Retention in a store tells exactly what it did, whatever ends it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.api.backuppolicy import Compression
from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import Manifest, ManifestFile, recovery_point_prefix
from strongroom.api.result import Artifact, ArtifactVerification, RetentionOutcome
from strongroom.api.workorder import BackupOrder, WorkOrder
from strongroom.pipeline.digests import Digest
from strongroom.stores.memory import MemoryStore
from strongroom.stores.store import KeyLockedError, StoredKey
from strongroom.worker.pruning import prune_store

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = {"name": "db", "postgres": {"host": "h", "user": "u", "databases": ["d"]}}


def put(store: MemoryStore, key: str, content: bytes) -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()


def commit_point(store: MemoryStore, run: str, slot: datetime, **changes: object) -> None:
    digest = Digest()
    digest.write(b"data")
    found = digest.fingerprint()
    artifact = Artifact(
        source="db", kind="database", file="db.dump",
        plain_bytes=found.size_bytes, plain_sha256=found.sha256,
        stored_bytes=found.size_bytes, stored_sha256=found.sha256,
        verification=ArtifactVerification(level="Full", read_back=True, time=slot),
    )  # fmt: skip
    manifest = Manifest(
        strongroom_version="0", namespace="n", policy="p", policy_uid="u", run=run, run_uid=f"uid-{run}"[-64:],
        reason="Manual", slot=slot, started_at=slot, finished_at=slot, compression=Compression(codec="none"),
        files=[ManifestFile(artifact=artifact)],
    ).model_copy(update=changes)  # fmt: skip
    prefix = recovery_point_prefix("n", "p", slot, run)
    put(store, f"{prefix}/db.dump", b"data")
    put(store, f"{prefix}/manifest.json", manifest.model_dump_json(by_alias=True).encode())


def prune(store: MemoryStore, days: int, check: object = lambda: None, **changes: object) -> RetentionOutcome:
    backup = BackupOrder.model_validate(
        {
            "policy": "p", "policyUid": "u", "run": f"day-{days - 1}", "reason": "Manual", "slot": FIRST,
            "sources": [SOURCE], "compression": {"codec": "none"}, "verification": "Full",
            "minSizePercent": 0, "retention": {"keepLast": 1, "maxDeletions": 10_000}, "timeZone": "UTC",
            **changes,
        }
    )  # fmt: skip
    order = WorkOrder(
        kind="Backup", namespace="n", run_uid=f"uid-day-{days - 1}", deadline_seconds=60, backup=backup,
        stores=[{"name": "disk", "spec": BackupStoreSpec(local={"path": "/store"})}],  # type: ignore[list-item]
    )  # fmt: skip
    return prune_store("disk", store, order, backup, check)  # type: ignore[arg-type]


def fill(store: MemoryStore, days: int) -> None:
    for day in range(days):
        commit_point(store, f"day-{day}", FIRST + timedelta(days=day))


def runs(store: MemoryStore) -> list[str]:
    return [found.key.split("-", 1)[1].split("/")[0] for found in store.list() if "manifest" in found.key]


def test_an_order_to_end_stops_between_two_deletions_and_what_was_done_is_told() -> None:
    store, asked = MemoryStore(), 0
    fill(store, 5)

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 3:
            raise StrongroomError(Reason.DeadlineExceeded, "too long")

    outcome = prune(store, 5, check)
    assert outcome.deleted_runs == ["day-0", "day-1"]
    assert outcome.kept == 3
    assert outcome.blocked == "deletion stopped: too long"
    assert runs(store) == ["day-2", "day-3", "day-4"]


@pytest.mark.parametrize("suffix", ["manifest.json", "db.dump"])
def test_what_was_deleted_before_a_failure_is_told(suffix: str) -> None:
    class Stubborn(MemoryStore):
        def delete(self, key: str) -> None:
            if key.endswith(f"day-1/{suffix}"):
                raise StrongroomError(Reason.StoreReadOnly, "no")
            super().delete(key)

    store = Stubborn()
    fill(store, 4)
    outcome = prune(store, 4)
    gone = {"day-0", "day-1", "day-2", "day-3"} - set(runs(store))
    assert gone == set(outcome.deleted_runs)
    assert outcome.kept == len(runs(store))
    assert outcome.blocked == "deletion stopped: no"


def test_a_fault_of_ours_costs_no_committed_backup() -> None:
    store = MemoryStore()
    fill(store, 2)
    outcome = prune(store, 2, timeZone="Nowhere/Atall")
    assert "fault" in str(outcome.blocked)
    assert runs(store) == ["day-0", "day-1"]


def test_no_more_is_deleted_than_the_result_can_name() -> None:
    store, days = MemoryStore(), 150
    for day in range(days - 1):
        commit_point(store, f"{'x' * 240}-{day}", FIRST + timedelta(days=day))
    commit_point(store, f"day-{days - 1}", FIRST + timedelta(days=days))
    outcome = prune(store, days)
    assert outcome.kept == len(runs(store)) == days - len(outcome.deleted_runs)
    assert 0 < len(outcome.model_dump_json()) < 32_000
    assert len(prune(store, days).deleted_runs) == days - 1 - len(outcome.deleted_runs)


def test_a_partial_backup_goes_like_others_once_verified_ones_are_newer() -> None:
    store = MemoryStore()
    commit_point(store, "early", FIRST - timedelta(days=1), outcome="Partial")
    fill(store, 3)
    commit_point(store, "late", FIRST + timedelta(days=1, hours=12), outcome="Partial")
    outcome = prune(store, 3, retention={"keepLast": 2})
    assert outcome.deleted_runs == ["early", "day-0"]
    assert runs(store) == ["day-1", "late", "day-2"]


def test_a_partial_backup_that_lacks_a_file_is_left_alone() -> None:
    store = MemoryStore()
    commit_point(store, "early", FIRST - timedelta(days=1), outcome="Partial")
    store.delete(f"{recovery_point_prefix('n', 'p', FIRST - timedelta(days=1), 'early')}/db.dump")
    fill(store, 3)
    assert prune(store, 3).deleted_runs == ["day-0", "day-1"]
    assert "early" in runs(store)


class _Locked(MemoryStore):
    """A store whose keys of some runs are locked."""

    until = FIRST + timedelta(days=1000)
    runs: tuple[str, ...] = ()

    def delete(self, key: str) -> None:
        if any(f"-{run}/" in key for run in self.runs):
            raise KeyLockedError(key, self.until)
        super().delete(key)


def test_a_locked_point_stays_whole_is_told_and_hinders_no_other() -> None:
    store = _Locked()
    store.runs = ("day-0",)
    for day in range(3):
        commit_point(store, f"day-{day}", FIRST + timedelta(days=day))
    outcome = prune(store, 3)
    assert (outcome.kept, outcome.locked, outcome.locked_until) == (2, 1, _Locked.until)
    assert outcome.deleted_runs == ["day-1"]
    assert outcome.blocked is None
    assert len([found for found in store.list() if "-day-0/" in found.key]) == 2
    store.runs = ()
    assert (prune(store, 3).deleted_runs, prune(store, 3).locked) == (["day-0"], 0)


def test_nothing_is_swept_of_a_point_whose_manifest_the_listing_does_not_show() -> None:
    class Late(MemoryStore):
        """A store of old keys whose listing lacks some."""

        hidden = ""

        def list(self, prefix: str = "") -> Iterator[StoredKey]:
            for found in super().list(prefix):
                if found.key != self.hidden:
                    yield StoredKey(found.key, found.size_bytes, FIRST)

    store = Late()
    fill(store, 3)
    point = recovery_point_prefix("n", "p", FIRST, "day-0")
    store.hidden = f"{point}/manifest.json"
    assert prune(store, 3).deleted_runs == ["day-1"]
    assert store.look(f"{point}/db.dump") is not None
    store.delete(store.hidden)
    prune(store, 3)
    assert store.look(f"{point}/db.dump") is None
