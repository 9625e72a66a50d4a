"""Several stores in one run: each fails, lags or hangs alone, and what is read is read once."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.worker.workshop import Finished, Workshop
from tests.s3.faults import FaultyProxy, faulty_proxy
from tests.s3.server import S3Server
from tests.s3.stores import bucket_spec, write_keys

from strongroom.api.result import Copy
from strongroom.worker import holdups, storelanes

MEBIBYTE = 1 << 20
SHORT = {"retryFor": "0s", "stallTimeout": "2s"}


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultyProxy]:
    with faulty_proxy(s3_server.port) as proxy:
        yield proxy


def disk(workshop: Workshop, name: str, **spec: Any) -> dict[str, Any]:
    """A local store in a folder of its own."""
    folder = workshop.folder / name
    folder.mkdir(exist_ok=True)
    return {"name": name, "spec": {"local": {"path": str(folder)}, **spec}}


def tree(workshop: Workshop, size: int) -> list[dict[str, Any]]:
    """A source: one file of noise."""
    folder = workshop.folder / "tree"
    folder.mkdir(exist_ok=True)
    (folder / "noise").write_bytes(os.urandom(size))
    return [{"name": "media", "files": {"path": str(folder)}}]


def order(
    workshop: Workshop, stores: list[dict[str, Any]], size: int = 100_000, run: str = "first", **backup: Any
) -> dict[str, Any]:
    sources = tree(workshop, size)
    return workshop.order(run, stores=stores, sources=sources, compression={"codec": "none"}, **backup)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def told(finished: Finished) -> dict[str, Copy]:
    return {copy.store: copy for copy in finished.result.copies}


def test_one_read_of_a_database_makes_three_equal_copies_each_proved(workshop: Workshop) -> None:
    names = ("one", "two", "three")
    finished = workshop.succeed(workshop.order(stores=[disk(workshop, name) for name in names]))
    first = contents(workshop.folder / "one")
    assert len(first) == 3
    assert all(contents(workshop.folder / name) == first for name in names)
    assert finished.stdout.count('"Dump"') >= 1
    copies = told(finished)
    assert all(copies[name].state == "Succeeded" and copies[name].verified_time for name in names)
    result = finished.result
    assert result.contents == "Whole"
    manifest = workshop.folder / "one" / str(copies["one"].manifest_key)
    digest = subprocess.run(["sha256sum", manifest], capture_output=True, text=True, check=True).stdout
    assert digest.split()[0] == result.manifest_sha256


@pytest.mark.parametrize("operation", ["ListObjectsV2", "PutObject", "UploadPart", "GetObject"])
def test_a_store_that_hangs_for_ever_fails_and_costs_the_others_nothing(
    workshop: Workshop, s3_server: S3Server, s3_bucket: str, proxy: FaultyProxy, operation: str
) -> None:
    write_keys(workshop.folder / "secrets", s3_server)
    vault = bucket_spec(proxy.endpoint, s3_bucket, prefix=workshop.folder.name, limits=SHORT)
    stores = [{"name": "vault", "spec": vault}, disk(workshop, "disk")]
    # The first two show what the server does; then comes the commit.
    proxy.fail(operation, "stall", nth=3 if operation == "PutObject" else 1)
    size = 40 * MEBIBYTE if operation == "UploadPart" else 100_000
    finished = workshop.run(order(workshop, stores, size, minCopies=1))
    copies = told(finished)
    assert (finished.code, finished.result.outcome) == (0, "Succeeded"), finished.result.message
    assert (copies["disk"].state, copies["vault"].state) == ("Succeeded", "Failed")
    assert copies["vault"].reason == "StoreUnreachable"
    assert "limits.stallTimeout" in str(copies["vault"].message)
    assert "store vault lacks its copy" in finished.result.message


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is kept for a slow store, and it is soon set aside."""
    monkeypatch.setattr(holdups, "HELD_SECONDS", 0.2)
    monkeypatch.setattr(storelanes, "LANE_BYTES", MEBIBYTE)


def test_a_slow_store_is_set_aside_and_caught_up_when_the_source_has_been_read(
    workshop: Workshop, hasty: None
) -> None:
    slow = disk(workshop, "slow", limits={"uploadBytesPerSecond": 6 * MEBIBYTE})
    finished = workshop.run_here(order(workshop, [slow, disk(workshop, "disk")], 12 * MEBIBYTE))
    assert finished.result.outcome == "Succeeded", finished.result.message
    assert '"CatchUp"' in finished.stdout
    assert finished.stdout.index('"Commit"') < finished.stdout.index('"CatchUp"')
    assert contents(workshop.folder / "slow") == contents(workshop.folder / "disk")
    assert all(copy.state == "Succeeded" and copy.verified_time for copy in finished.result.copies)


def test_a_slow_store_is_left_behind_where_fewer_copies_are_enough_and_nothing_is_pruned_in_it(
    workshop: Workshop, hasty: None
) -> None:
    fast, plain = disk(workshop, "disk"), disk(workshop, "slow")
    rules: dict[str, Any] = {"retention": {"keepLast": 1}, "minCopies": 1}
    for run in ("first", "second"):
        workshop.run_here(order(workshop, [plain, fast], run=run, retention={}))
    slow = disk(workshop, "slow", limits={"uploadBytesPerSecond": 2 * MEBIBYTE})
    finished = workshop.run_here(order(workshop, [slow, fast], 12 * MEBIBYTE, "third", **rules))
    copies = told(finished)
    assert (finished.code, finished.result.outcome) == (0, "Succeeded"), finished.result.message
    assert (copies["slow"].state, copies["slow"].reason) == ("Behind", "StoreBehind")
    assert '"CatchUp"' not in finished.stdout
    pruned = {outcome.store: outcome for outcome in finished.result.retention}
    assert (len(pruned["disk"].deleted_runs), pruned["disk"].blocked) == (2, None)
    assert pruned["slow"].blocked == "the store lacks the backup just made"
    assert len([*(workshop.folder / "slow").rglob("manifest.json")]) == 2


@pytest.fixture
def small_disk(workshop: Workshop) -> Iterator[Callable[[int], Path]]:
    """A file system of so many bytes."""
    folder = workshop.folder / "small"
    folder.mkdir()

    def mount(size: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, check=False).returncode != 0:
            pytest.skip("mounting needs more rights than this machine gives")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], check=False, capture_output=True)


@pytest.mark.parametrize("size", [64 << 10, 5 * MEBIBYTE])
def test_a_store_that_is_full_at_some_byte_fails_alone_and_keeps_nothing_of_it(
    workshop: Workshop, small_disk: Callable[[int], Path], size: int
) -> None:
    folder = small_disk(size)
    stores = [disk(workshop, "small"), disk(workshop, "disk")]
    finished = workshop.run(order(workshop, stores, 6 * MEBIBYTE))
    copies = told(finished)
    assert (finished.result.outcome, finished.result.reason) == ("Partial", "StoreFull")
    assert (copies["disk"].state, copies["small"].reason) == ("Succeeded", "StoreFull")
    assert contents(folder) == {}
    assert finished.result.contents == "Whole"


def test_a_store_whose_secret_is_missing_fails_alone(workshop: Workshop) -> None:
    vault = {"name": "vault", "spec": bucket_spec("http://127.0.0.1:9", "bucket")}
    finished = workshop.run(order(workshop, [vault, disk(workshop, "disk")], minCopies=1))
    assert finished.result.outcome == "Succeeded", finished.result.message
    copies = told(finished)
    assert (copies["vault"].state, copies["vault"].reason) == ("Failed", "SecretMissing")
    assert "s3.accessKeySecret" in str(copies["vault"].message)


def test_too_few_copies_are_a_part_and_delete_nothing(workshop: Workshop) -> None:
    stores = [disk(workshop, "one"), disk(workshop, "two"), disk(workshop, "gone")]
    for run in ("first", "second"):
        workshop.run_here(order(workshop, stores, run=run))
    shutil.rmtree(workshop.folder / "gone")
    rules: dict[str, Any] = {"retention": {"keepLast": 1}}
    short = workshop.run_here(order(workshop, stores, run="third", **rules))
    assert (short.result.outcome, short.result.reason) == ("Partial", "StoreMissing")
    assert all(outcome.deleted_runs == [] and outcome.blocked for outcome in short.result.retention)
    later = {"slot": "2026-01-03T03:04:05Z", "minCopies": 2}
    enough = workshop.run_here(order(workshop, stores, run="fourth", **later, **rules))
    assert enough.result.outcome == "Succeeded", enough.result.message
    deleted = {outcome.store: len(outcome.deleted_runs) for outcome in enough.result.retention}
    assert deleted == {"one": 3, "two": 3, "gone": 0}
