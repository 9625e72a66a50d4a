"""A recovery point goes from good copies to stores that lack it, whatever breaks on the way."""

import dataclasses
import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from strongroom.api.backuppolicy import Compression
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import Manifest, ManifestFile
from strongroom.api.result import Artifact
from strongroom.stores.limits.passing import PassingReader
from strongroom.stores.memory import MemoryStore
from strongroom.stores.store import StoredKey, StoreReader
from strongroom.worker.copying import Copies
from strongroom.worker.points import read_point
from strongroom.worker.progress import ProgressLines
from strongroom.worker.replicating import Point, Replication, prove_holders, write_mark
from strongroom.worker.signatures import Trust

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PREFIX = "n/p/20260101T000000Z-run"
FILES = {"a.dump": bytes(range(256)) * 20_000, "b.dump": b"small"}


def file(name: str, content: bytes) -> ManifestFile:
    digest = hashlib.sha256(content).hexdigest()
    artifact = Artifact(
        source="db", kind="database", file=name, plain_bytes=len(content), plain_sha256=digest,
        stored_bytes=len(content), stored_sha256=digest,
    )  # fmt: skip
    return ManifestFile(artifact=artifact)


MANIFEST = Manifest(
    strongroom_version="0", namespace="n", policy="p", policy_uid="u", run="run", run_uid="r", reason="Manual",
    slot=NOW, started_at=NOW, finished_at=NOW, compression=Compression(codec="none"),
    files=[file(name, content) for name, content in FILES.items()],
)  # fmt: skip
POINT = Point(PREFIX, MANIFEST, MANIFEST.model_dump_json(by_alias=True).encode(), signature=b"signature")


def put(store: MemoryStore, key: str, content: bytes) -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()


def fill(store: MemoryStore) -> MemoryStore:
    for name, content in FILES.items():
        put(store, f"{PREFIX}/{name}", content)
    write_mark(store, POINT)
    return store


def holder() -> MemoryStore:
    return fill(MemoryStore())


def everything(store: MemoryStore) -> dict[str, bytes]:
    found = {}
    for each in store.list():
        buffer = memoryview(bytearray(each.size_bytes + 1))
        with MemoryStore.open(store, each.key) as reader:
            found[each.key] = bytes(buffer[: reader.readinto(buffer)])
    return found


def replicate(copies: Copies, origins: list[str], targets: list[str]) -> None:
    def pick(names: list[str]) -> dict[str, MemoryStore]:
        return {name: copies.stores[name] for name in names}  # type: ignore[misc]

    progress = ProgressLines(io.StringIO())
    for name in targets:
        copies.set_aside(name, "lacking")
    Replication(POINT, copies, {**pick(origins)}, progress, lambda _, store: write_mark(store, POINT)).run(
        pick(targets)
    )


class Breaking(MemoryStore):
    """Reads of its first file break in the middle, from the nth opening on."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.left = nth

    def open(self, key: str) -> StoreReader:
        self.left -= 1
        return _Breaking(super().open(key)) if self.left <= 0 else super().open(key)


class _Breaking(PassingReader):
    def __init__(self, reader: StoreReader) -> None:
        super().__init__(reader)
        self._chunks = 0

    def readinto(self, buffer: memoryview) -> int:
        self._chunks += 1
        if self._chunks > 2:
            raise StrongroomError(Reason.StoreFailed, "bad sector")
        return super().readinto(buffer)


def test_what_lacks_is_copied_to_all_from_one_read_and_marked_last() -> None:
    opened: list[str] = []

    class Counting(MemoryStore):
        def open(self, key: str) -> StoreReader:
            opened.append(key)
            return super().open(key)

    origin = fill(Counting())
    copies = Copies({"origin": origin, "one": MemoryStore(), "two": MemoryStore()})
    replicate(copies, ["origin"], ["one", "two"])
    assert sorted(opened) == [f"{PREFIX}/a.dump", f"{PREFIX}/b.dump"]
    assert all(everything(store) == everything(origin) for store in copies.stores.values())  # type: ignore[arg-type]
    assert (copies.failures, copies.behind) == ({}, {})
    assert copies.verified.keys() == {"one", "two"}


def test_an_origin_that_breaks_midway_is_given_up_and_the_next_one_read() -> None:
    copies = Copies({"bad": fill(Breaking(1)), "good": holder(), "target": MemoryStore()})
    replicate(copies, ["bad", "good"], ["target"])
    assert [*copies.failures] == ["bad"]
    assert copies.failures["bad"].message == "store bad: bad sector"
    assert everything(copies.stores["target"]) == everything(copies.stores["good"])  # type: ignore[arg-type]


def test_an_origin_whose_bytes_changed_since_they_were_proved_is_not_copied() -> None:
    rotten = MemoryStore()
    put(rotten, f"{PREFIX}/a.dump", b"rotten" + FILES["a.dump"][6:])
    put(rotten, f"{PREFIX}/b.dump", FILES["b.dump"])
    copies = Copies({"rotten": rotten, "good": holder(), "target": MemoryStore()})
    replicate(copies, ["rotten", "good"], ["target"])
    assert copies.failures["rotten"].reason is Reason.ArtifactCorrupt
    assert everything(copies.stores["target"]) == everything(copies.stores["good"])  # type: ignore[arg-type]


def test_without_an_origin_left_nothing_is_visible_and_the_targets_stay_behind() -> None:
    copies = Copies({"bad": fill(Breaking(1)), "target": MemoryStore()})
    with pytest.raises(StrongroomError, match="bad sector"):
        replicate(copies, ["bad"], ["target"])
    assert everything(copies.stores["target"]) == {}  # type: ignore[arg-type]
    assert [*copies.behind] == ["target"]


def test_a_target_that_fails_does_not_cost_the_others() -> None:
    class Full(MemoryStore):
        def publish(self, *_: object) -> None:
            raise StrongroomError(Reason.StoreFull, "full")

    copies = Copies({"origin": holder(), "full": Full(), "target": MemoryStore()})
    replicate(copies, ["origin"], ["full", "target"])
    assert {name: error.message for name, error in copies.failures.items()} == {"full": "store full: full"}
    assert everything(copies.stores["target"]) == everything(copies.stores["origin"])  # type: ignore[arg-type]


def test_what_an_attempt_that_died_left_is_used_if_it_is_whole_and_replaced_if_not() -> None:
    target = MemoryStore()
    put(target, f"{PREFIX}/a.dump", FILES["a.dump"])
    put(target, f"{PREFIX}/b.dump", b"smell")
    put(target, f"{PREFIX}/manifest.json.sig", b"half")
    copies = Copies({"origin": holder(), "target": target})
    replicate(copies, ["origin"], ["target"])
    assert everything(target) == everything(copies.stores["origin"])  # type: ignore[arg-type]


def test_holders_are_proved_by_every_byte_and_the_broken_given_up() -> None:
    rotten = MemoryStore()
    put(rotten, f"{PREFIX}/a.dump", FILES["a.dump"])
    put(rotten, f"{PREFIX}/b.dump", b"smell")
    copies = Copies({"rotten": rotten, "good": holder(), "empty": MemoryStore()})
    proved = prove_holders(POINT, copies, copies.stores)
    assert [*proved] == ["good"]
    assert copies.failures.keys() == {"rotten", "empty"}
    assert copies.verified.keys() == {"good"}


def test_a_manifest_that_lies_is_believed_of_nobody() -> None:
    lying = dataclasses.replace(
        POINT, manifest=MANIFEST.model_copy(update={"files": [file("a.dump", b"other")]})
    )
    copies = Copies({"one": holder(), "two": holder()})
    assert prove_holders(lying, copies, copies.stores) == {}
    assert copies.failures.keys() == {"one", "two"}


def test_what_an_earlier_attempt_has_left_is_used_although_the_listing_does_not_show_it_yet() -> None:
    class Late(MemoryStore):
        def list(self, prefix: str = "") -> Iterator[StoredKey]:
            yield from ()

    late = Late()
    put(late, f"{PREFIX}/a.dump", FILES["a.dump"])
    put(late, f"{PREFIX}/b.dump", b"other")
    copies = Copies({"good": holder(), "late": late})
    replicate(copies, ["good"], ["late"])
    assert copies.good.keys() == {"good", "late"}
    point = read_point(late, PREFIX, Trust())
    assert (point.complete, point.manifest) == (True, MANIFEST)
