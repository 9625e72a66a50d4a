"""Story: files change while they are read; the backup is kept, said to be partial, and never taken for a good one."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.opening import find_artifact, unpacked
from tests.e2e.stronghold import Stronghold, condition, eventually, run, store, stronghold

pytestmark = pytest.mark.e2e

LOG_BYTES = 96 << 20
"""Read for much longer than a writer takes for its next line."""


@dataclass(frozen=True)
class Ground:
    """A folder that is backed up, its store, and Strongroom."""

    hold: Stronghold
    root: Path
    store: Path

    def points(self) -> list[str]:
        """Runs whose recovery points are in the store."""
        return sorted(
            found.parent.name.split("-", 1)[1] for found in self.store.glob("default/*/*/manifest.json")
        )

    def backup(self, name: str, policy: str = "media") -> dict[str, Any]:
        self.hold.apply(run(name, policy))
        return self.hold.finished_run(name)


def policy(root: Path, name: str, **files: Any) -> dict[str, Any]:
    source = {"name": "media", "files": {"path": str(root), **files}}
    retention = {"keepLast": 1, "minKeep": 1}
    spec = {
        "schedule": "0 2 * * *",
        "host": "local",
        "sources": [source],
        "stores": ["disk"],
        "retention": retention,
    }
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "BackupPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Somebody appends to the file all the time."""
    over = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            while not over.wait(0.002):
                file.write(b"line\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("changing")
    root, target = folder / "root", folder / "store"
    for made in (root, target):
        made.mkdir()
    (root / "picture").write_bytes(b"picture")
    (root / "log").write_bytes(os.urandom(LOG_BYTES))
    options = ("--engine", "unix:///nonexistent/docker.sock", "--allow-path", str(root))
    with stronghold(folder / "state", options=options) as hold:
        hold.apply(store(target), policy(root, "media"), policy(root, "strict", onChange="Fail"))
        yield Ground(hold, root, target)


@pytest.fixture(scope="module")
def quiet(ground: Ground) -> dict[str, Any]:
    return ground.backup("quiet")


@pytest.fixture(scope="module")
def busy(ground: Ground, quiet: dict[str, Any]) -> dict[str, Any]:
    with written(ground.root / "log"):
        return ground.backup("busy")


def test_a_run_that_met_changing_files_is_partial_and_names_them(quiet: dict, busy: dict) -> None:
    assert quiet["status"]["phase"] == "Succeeded", quiet["status"]
    assert busy["status"]["phase"] == "Partial"
    told = condition(busy, "Succeeded")
    assert (told["status"], told["reason"]) == ("False", "FilesChanged")
    assert "./log: changed while it was read" in told["message"]
    assert "onChange" in told["message"]
    assert busy["status"]["artifacts"][0]["changedCount"] == 1


def test_it_is_kept_and_whole_but_for_what_changed(ground: Ground, busy: dict, tmp_path: Path) -> None:
    tree = unpacked(find_artifact(ground.store, busy, "media.tar.zst"), tmp_path / "out")
    assert (tree / "picture").read_bytes() == b"picture"
    assert (tree / "log").stat().st_size >= LOG_BYTES


def test_it_is_tried_once_and_does_not_count(ground: Ground, quiet: dict, busy: dict) -> None:
    policy = eventually(
        "the policy tells of the run",
        lambda: (
            (found := ground.hold.get("backuppolicy", "media"))["status"].get("lastRun") == "busy" and found
        ),
    )
    assert policy["status"]["lastRunPhase"] == "Partial"
    assert policy["status"]["lastSuccess"]["run"] == "quiet"
    assert condition(policy, "Fresh")["status"] == "True"
    (job,) = [job for job in ground.hold.items("job") if "busy" in job["metadata"]["name"]]
    assert job["status"].get("failed") == 1


def test_nothing_was_pruned_for_it_and_that_is_told(ground: Ground, busy: dict) -> None:
    assert ground.points() == ["busy", "quiet"]
    blocked = ground.hold.when("backuppolicy", "media", "RetentionBlocked")
    assert "files changed while they were read" in condition(blocked, "RetentionBlocked")["message"]


def test_the_next_whole_backup_takes_the_place_of_both(ground: Ground, busy: dict) -> None:
    assert ground.backup("after")["status"]["phase"] == "Succeeded"
    assert ground.points() == ["after"]


def test_a_policy_that_wants_none_of_it_gets_none(ground: Ground) -> None:
    before = ground.points()
    with written(ground.root / "log"):
        failed = ground.backup("none", "strict")
    assert failed["status"]["phase"] == "Failed"
    assert condition(failed, "Succeeded")["reason"] == "FilesChanged"
    assert ground.points() == before
