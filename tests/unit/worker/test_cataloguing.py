"""A catalogue tells all that a store holds of a namespace, in parts that a result can carry, and never less."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.api.backuppolicy import Compression
from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import Manifest, ManifestFile, recovery_point_prefix
from strongroom.api.result import (
    LARGEST_RESULT_BYTES,
    MOST_DAMAGED,
    Artifact,
    ArtifactVerification,
    CatalogueReport,
    TableRows,
)
from strongroom.api.workorder import CatalogueOrder, WorkOrder
from strongroom.pipeline.signing import PrivateKey
from strongroom.stores.memory import MemoryStore
from strongroom.stores.store import StoredKey
from strongroom.worker import cataloguing
from strongroom.worker.copying import Copies
from strongroom.worker.ending import Ending
from strongroom.worker.progress import ProgressLines
from strongroom.worker.results import build_result
from strongroom.worker.run import WorkerPaths, run_worker
from strongroom.worker.secretfiles import SecretFiles
from strongroom.worker.task import Task

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
KEY, STRANGE = PrivateKey.generate(), PrivateKey.generate()


def put(store: MemoryStore, key: str, content: bytes) -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()


def artifact(name: str) -> Artifact:
    return Artifact(
        source="db", kind="database", database="shop", file=name,
        plain_bytes=4, plain_sha256="1" * 64, stored_bytes=4, stored_sha256="2" * 64,
        row_counts=[TableRows(table=f"public.t{number}", rows=number) for number in range(50)],
        verification=ArtifactVerification(level="Full", read_back=True, time=FIRST),
    )  # fmt: skip


def point(
    run: str,
    day: int = 0,
    key: PrivateKey | None = None,
    attempt: int = 1,
    files: int = 1,
    **changes: object,
) -> tuple[str, bytes]:
    """Prefix and manifest of a recovery point of policy p, whose files hold four bytes each."""
    slot = FIRST + timedelta(days=day)
    prefix = recovery_point_prefix("n", "p", slot, run, attempt)
    manifest = Manifest(
        strongroom_version="0", namespace="n", policy="p", policy_uid="u", run=run, run_uid=f"uid-{run}"[-64:],
        reason="Manual", slot=slot, started_at=slot, finished_at=slot, compression=Compression(codec="none"),
        recovery_point=prefix, signed_by=None if key is None else key.public.key_id,
        files=[ManifestFile(artifact=artifact(f"db-{number}.dump")) for number in range(files)],
    ).model_copy(update=changes)  # fmt: skip
    return prefix, manifest.model_dump_json(by_alias=True).encode()


def lay(
    store: MemoryStore, made: tuple[str, bytes], signature: bytes | None = None, place: str | None = None
) -> str:
    prefix = place or made[0]
    for number in range(len(json.loads(made[1])["files"])):
        put(store, f"{prefix}/db-{number}.dump", b"data")
    if signature is not None:
        put(store, f"{prefix}/manifest.json.sig", signature)
    put(store, f"{prefix}/manifest.json", made[1])
    return prefix


@pytest.fixture
def secrets(tmp_path: Path) -> SecretFiles:
    folder = tmp_path / "secrets/signing"
    folder.mkdir(parents=True)
    (folder / "public.pem").write_bytes(KEY.public.pem())
    (folder / "private.pem").write_bytes(STRANGE.pem())
    return SecretFiles(tmp_path / "secrets")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    return opened(monkeypatch, MemoryStore())


def opened(monkeypatch: pytest.MonkeyPatch, store: MemoryStore) -> MemoryStore:
    """What the order's store is opened as."""
    monkeypatch.setattr(cataloguing, "open_stores", lambda *_: Copies({"disk": store}))
    return store


def order(after: str | None = None, *keys: str, path: Path = Path("/store")) -> WorkOrder:
    return WorkOrder.model_validate(
        {
            "kind": "Catalogue", "namespace": "n", "runUid": "uid-store", "deadlineSeconds": 60,
            "stores": [{"name": "disk", "spec": BackupStoreSpec.model_validate({"local": {"path": str(path)}})}],
            "catalogue": CatalogueOrder.model_validate(
                {"after": after, "trustedKeys": [{"name": "signing", "key": key} for key in keys]}
            ),
        }
    )  # fmt: skip


def ask(secrets: SecretFiles, after: str | None = None, *keys: str) -> CatalogueReport:
    asked = order(after, *keys)
    assert asked.catalogue is not None
    task = Task(asked, secrets, Path("/nowhere"), ProgressLines(io.StringIO()), (), FIRST, Ending())
    done, failure = cataloguing.run_catalogue(task, asked.catalogue)
    result = build_result("uid-store", done, failure, FIRST, secrets.hide)
    assert len(result.model_dump_json(by_alias=True, exclude_none=True).encode()) <= LARGEST_RESULT_BYTES
    assert result.catalogue is not None
    return result.catalogue


def parts(secrets: SecretFiles) -> Iterator[CatalogueReport]:
    """Part after part, as the control plane asks for them."""
    after = None
    while True:
        yield (part := ask(secrets, after))
        assert part.after == after
        if (after := part.next) is None:
            return


def test_all_of_hundreds_of_points_are_told_once_and_in_order_in_parts_that_fit(
    store: MemoryStore, secrets: SecretFiles
) -> None:
    laid = [lay(store, point(f"run{'x' * (day % 90)}", day, files=1 + day % 5)) for day in range(300)]
    laid += [lay(store, point("run-again", 7, attempt=attempt)) for attempt in (1, 2, 3)]
    put(store, "n/p/20260101T000000Z-dead/db-0.dump", b"left by a dead attempt")
    put(store, "other/p/20260101T000000Z-run/manifest.json", point("run")[1])
    put(store, "n/p/manifest.json", b"no recovery point lies here")
    told = list(parts(secrets))
    found = [each.recovery_point for part in told for each in part.points]
    assert found == sorted(laid, key=lambda prefix: f"{prefix}/")
    assert len(told) > 2
    assert all(each.complete and each.signature == "Unsigned" for part in told for each in part.points)
    assert told[0].points[0].artifacts[0].row_counts == []
    assert [part.damaged for part in told] == [[]] * len(told)


def test_more_damaged_manifests_than_a_part_may_tell_go_into_the_next(
    store: MemoryStore, secrets: SecretFiles
) -> None:
    count = MOST_DAMAGED + 5
    for number in range(count):
        put(store, f"n/p/20260101T000000Z-{number:03}/manifest.json", b"{")
    told = list(parts(secrets))
    assert [len(part.damaged) for part in told] == [MOST_DAMAGED, 5]
    assert len({prefix for part in told for prefix in part.damaged}) == count


def test_a_point_that_no_result_could_tell_is_told_as_damaged_and_hides_no_other(
    store: MemoryStore, secrets: SecretFiles
) -> None:
    files = [
        ManifestFile(artifact=artifact(f"db-{number}.dump{'é' * 480}").model_copy(update={"container": "c" * 253}))
        for number in range(128)
    ]  # fmt: skip
    huge = point("huge", 1, files=1)
    manifest = Manifest.model_validate_json(huge[1]).model_copy(update={"files": files})
    put(store, f"{huge[0]}/manifest.json", manifest.model_dump_json(by_alias=True).encode())
    good = [lay(store, point("before", 0)), lay(store, point("later", 2))]
    told = list(parts(secrets))
    assert [each.recovery_point for part in told for each in part.points] == good
    assert [prefix for part in told for prefix in part.damaged] == [huge[0]]


def test_each_signature_is_told_for_what_it_is_worth(store: MemoryStore, secrets: SecretFiles) -> None:
    good, other, changed = point("good", 0, KEY), point("other", 1, STRANGE), point("changed", 2, KEY)
    lay(store, good, KEY.sign(good[1]))
    lay(store, other, STRANGE.sign(other[1]))
    lay(store, changed, KEY.sign(b"something else"))
    lay(store, point("bare", 3))
    lay(store, point("stripped", 4, KEY))
    lay(store, good, KEY.sign(good[1]), place="n/p/20260105T000000Z-moved")

    def judged(*keys: str) -> dict[str, str]:
        found = ask(secrets, None, *keys).points
        return {each.recovery_point.split("Z-")[1]: each.signature for each in found}

    expected = {"changed": "Invalid", "bare": "Unsigned", "stripped": "Invalid", "moved": "Invalid"}
    assert judged("public.pem") == {"good": "Valid", "other": "Untrusted"} | expected
    assert judged("public.pem", "private.pem") == {"good": "Valid", "other": "Valid"} | expected
    assert judged() == {"good": "Untrusted", "other": "Untrusted"} | expected | {"changed": "Untrusted"}


def test_what_cannot_be_read_or_is_anothers_is_damaged_and_what_lacks_a_file_is_incomplete(
    store: MemoryStore, secrets: SecretFiles
) -> None:
    whole, short = lay(store, point("whole", 0, files=2)), lay(store, point("short", 1))
    lacking = lay(store, point("lacking", 2, files=2))
    store.delete(f"{lacking}/db-1.dump")
    store.delete(f"{short}/db-0.dump")
    put(store, f"{short}/db-0.dump", b"dat")
    wrong = [
        lay(store, point("a", 3, policy="blog")),
        lay(store, point("b", 4, namespace="other")),
        "n/p/20260106T000000Z-garbage",
    ]
    put(store, f"{wrong[-1]}/manifest.json", b"\0garbage")
    told = ask(secrets)
    assert {each.recovery_point: each.complete for each in told.points} == {
        whole: True,
        short: False,
        lacking: False,
    }
    assert told.damaged == wrong


def test_what_is_committed_or_deleted_while_the_listing_goes_on_is_not_taken_for_damage(
    monkeypatch: pytest.MonkeyPatch, secrets: SecretFiles
) -> None:
    class Moving(MemoryStore):
        """A store whose listings of a namespace lack a file that came too late, and show a point that has gone."""

        def list(self, prefix: str = "") -> Iterator[StoredKey]:
            found = list(super().list(prefix))
            if prefix != "n/":
                return iter(found)
            gone = StoredKey("n/p/20260109T000000Z-gone/manifest.json", 5, FIRST)
            return iter([*(each for each in found if "db-0" not in each.key), gone])

    store = opened(monkeypatch, Moving())
    late = lay(store, point("late"))
    told = ask(secrets)
    assert [(each.recovery_point, each.complete) for each in told.points] == [(late, True)]
    assert told.damaged == []


def test_a_listing_or_a_manifest_that_fails_is_a_failure_and_no_short_catalogue(
    monkeypatch: pytest.MonkeyPatch, secrets: SecretFiles
) -> None:
    class Breaking(MemoryStore):
        def list(self, prefix: str = "") -> Iterator[StoredKey]:
            yield from super().list(prefix)
            raise StrongroomError(Reason.StoreUnreachable, "gone in the middle")

    lay(opened(monkeypatch, Breaking()), point("run"))
    with pytest.raises(StrongroomError, match="store disk: gone in the middle"):
        ask(secrets)


def test_keys_that_cannot_be_used_fail_before_the_store_is_touched(
    monkeypatch: pytest.MonkeyPatch, secrets: SecretFiles
) -> None:
    monkeypatch.setattr(cataloguing, "open_stores", lambda *_: pytest.fail("it was touched"))
    with pytest.raises(StrongroomError, match=r"trustedKeys\[1\].*has no key lost\.pem"):
        ask(secrets, None, "public.pem", "lost.pem")


def carry_out(folder: Path, body: dict[str, object]) -> dict[str, object]:
    (folder / "order.json").write_text(json.dumps(body))
    paths = [folder / name for name in ("order.json", "secrets", "result.json", "scratch")]
    run_worker(WorkerPaths(*paths))
    result: dict[str, object] = json.loads((folder / "result.json").read_bytes())
    return result


def test_a_worker_tells_what_a_folder_holds_and_fails_where_the_folder_is_missing(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    asked = order(path=tmp_path / "store").to_api()
    empty = carry_out(tmp_path, asked)
    assert (empty["outcome"], empty["catalogue"]["points"]) == ("Succeeded", [])  # type: ignore[index]
    prefix, manifest = point("run")
    (tmp_path / "store" / prefix).mkdir(parents=True)
    (tmp_path / "store" / prefix / "manifest.json").write_bytes(manifest)
    (found,) = carry_out(tmp_path, asked)["catalogue"]["points"]  # type: ignore[index]
    assert (found["recoveryPoint"], found["complete"]) == (prefix, False)
    missing = carry_out(tmp_path, order(path=tmp_path / "unmounted").to_api())
    assert (missing["outcome"], missing["reason"]) == ("Failed", "StoreMissing")
    assert "catalogue" not in missing


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"catalogue": None}, "catalogue: missing for kind Catalogue"),
        ({"kind": "CheckStore"}, "catalogue: not meant for kind CheckStore"),
        ({"kind": "Backup", "catalogue": None}, "backup: missing for kind Backup"),
        ({"stores": order().to_api()["stores"] * 2}, "kind Catalogue is for one store"),
    ],
)
def test_half_an_order_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    result = carry_out(tmp_path, order().to_api() | changes)
    assert result["reason"] == "InvalidOrder"
    assert words in str(result["message"])
