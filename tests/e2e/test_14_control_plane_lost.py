"""Story: the machine with the control plane is gone, the disk with the backups is not."""

import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.stronghold import Stronghold, condition, eventually, store
from tests.keys import stock

pytestmark = pytest.mark.e2e
BACKUPS = 3


@dataclass
class Household:
    """A tree that is backed up, the disk that its backups lie on, and what `kubectl apply` is given."""

    folder: Path
    key: stock.KeyPair

    def __post_init__(self) -> None:
        for place in (self.disk, self.tree):
            place.mkdir()
        (self.folder / "key.txt").write_text(self.key.private)

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def manifests(self, keep_last: int) -> list[dict[str, Any]]:
        spec = {
            "schedule": "0 3 * * *",
            "host": "local",
            "sources": [{"name": "tree", "files": {"path": str(self.tree)}}],
            "stores": ["disk"],
            "encryption": {"age": {"recipients": [self.key.public]}},
            "retention": {"keepLast": keep_last},
        }
        policy = {"apiVersion": "strongroom.dev/v1alpha1", "kind": "BackupPolicy"}
        return [store(self.disk), policy | {"metadata": {"name": "home"}, "spec": spec}]


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Household:
    return Household(tmp_path_factory.mktemp("household"), stock.age_pair())


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory, household: Household) -> Iterator[Stronghold]:
    """A new control plane; the one that made the backups is gone with all that it knew."""
    lost = tmp_path_factory.mktemp("lost")
    options = ("--engine", "unix:///nonexistent/docker.sock", f"--allow-path={household.tree}")
    first = Stronghold(lost, options=options)
    try:
        first.start()
        first.apply(*household.manifests(keep_last=9))
        for number in range(BACKUPS):
            (household.tree / "diary.txt").write_text(f"day {number}\n" * 1000)
            done = first.strongroom("backup", "home", "--wait")
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        first.end()
    shutil.rmtree(lost)
    second = Stronghold(tmp_path_factory.mktemp("anew"), options=options)
    try:
        second.start()
        second.apply(*household.manifests(keep_last=1))
        yield second
    finally:
        second.end()


def found(strongroom: Stronghold) -> list[dict]:
    """The runs that were rebuilt, the newest first, once all of them are."""
    ended = [run for run in strongroom.items("br") if run.get("status", {}).get("phase") == "Succeeded"]
    ended = [run for run in ended if "strongroom.dev/found-in" in run["metadata"]["labels"]]
    ended.sort(key=lambda run: run["status"]["completionTime"], reverse=True)
    return ended if len(ended) == BACKUPS else []


def test_a_new_control_plane_knows_every_backup(rebuilt: Stronghold) -> None:
    eventually("every backup is known", lambda: found(rebuilt))
    rebuilt.when("backuppolicy", "home", "Fresh")
    told = rebuilt.when("backuppolicy", "home", "ForeignHistory")
    assert (
        "kubectl annotate bp home strongroom.dev/adopt-history="
        in condition(told, "ForeignHistory")["message"]
    )
    listed = rebuilt.strongroom("artifacts", "list").stdout
    assert listed.count(" disk") == BACKUPS


def test_a_sync_that_is_asked_for_finds_nothing_new(rebuilt: Stronghold) -> None:
    done = rebuilt.strongroom("catalogue", "sync", "disk", "--wait", "--timeout", "120")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{BACKUPS} recovery points found" in done.stdout
    assert len(rebuilt.items("br")) == BACKUPS


def test_a_backup_is_fetched_decrypted_and_equal(rebuilt: Stronghold, household: Household) -> None:
    newest = found(rebuilt)[0]["metadata"]["name"]
    target = household.folder / "back"
    key = str(household.folder / "key.txt")
    words = ("artifacts", "fetch", newest, "--to", str(target), "--plain", "--decrypt-with", key)
    done = rebuilt.strongroom(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = target.rglob("*.tar")
    with tarfile.open(archive) as tar:
        diary = next(member for member in tar.getmembers() if member.name.endswith("diary.txt"))
        content = tar.extractfile(diary)
        assert content is not None
        assert content.read() == (household.tree / "diary.txt").read_bytes()


def test_the_new_policy_s_retention_leaves_the_history_alone_until_it_is_adopted(rebuilt: Stronghold) -> None:
    done = rebuilt.strongroom("backup", "home", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(found(rebuilt)) == BACKUPS
    assert all(run["status"].get("prunedTime") is None for run in found(rebuilt))
    uid = found(rebuilt)[0]["status"]["policyUid"]
    rebuilt.kubectl("annotate", "bp", "home", f"strongroom.dev/adopt-history={uid}")
    eventually(
        "the history is the policy's own",
        lambda: "ForeignHistory" not in rebuilt.kubectl("get", "bp", "home", "-o", "yaml").stdout,
    )
    done = rebuilt.strongroom("backup", "home", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    eventually(
        "keepLast: 1 has let it go", lambda: all(run["status"].get("prunedTime") for run in found(rebuilt))
    )


def test_stores_are_checked_from_the_command_line(rebuilt: Stronghold) -> None:
    done = rebuilt.strongroom("stores", "check", "--timeout", "120")
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["disk", "local", "ready"]), (
        done.stdout + done.stderr
    )
    missing = rebuilt.strongroom("stores", "check", "cellar")
    assert missing.returncode == 1
    assert "no BackupStore cellar in namespace default; there are: disk" in missing.stderr
