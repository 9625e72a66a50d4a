"""A worker makes, proves, keeps and adopts archives of files."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.files.orders import Trees
from tests.integration.files.trees import describe_tree, make_socket, make_tree

from strongroom.api.errors import Reason
from strongroom.sources.files.walking import Walk


@pytest.mark.parametrize(
    ("codec", "opened"), [("zstd", ["zstd", "-dc"]), ("gzip", ["gzip", "-dc"]), ("none", ["cat"])]
)
def test_stock_tools_alone_bring_the_tree_back(
    trees: Trees, tmp_path: Path, codec: str, opened: list[str]
) -> None:
    make_tree(trees.root)
    make_socket(trees.root / "socket")
    code, result = trees.run(compression={"codec": codec})
    assert (code, result.reason) == (0, "Succeeded"), result.message
    (tmp_path / "out").mkdir()
    plain = subprocess.run([*opened, trees.artifact(result)], stdout=subprocess.PIPE, check=True).stdout
    command = [
        "tar",
        "-x",
        "-p",
        "--numeric-owner",
        "--acls",
        "--xattrs",
        "--xattrs-include=*",
        "-C",
        tmp_path / "out",
    ]
    subprocess.run(command, input=plain, check=True)
    (trees.root / "socket").unlink()
    expected = describe_tree(trees.root)
    found = describe_tree(tmp_path / "out")
    assert {name: found[name] for name in found if name != "."} == {
        name: expected[name] for name in expected if name != "."
    }
    assert result.artifacts[0].member_count == len(expected)


def test_result_and_manifest_tell_members_bytes_and_what_was_left_out(trees: Trees) -> None:
    make_socket(trees.root / "socket")
    _, result = trees.run(sources=[trees.source(exclude=["*.tmp"])])
    artifact = result.artifacts[0]
    assert (artifact.kind, artifact.file, artifact.database) == ("files", "media.tar.zst", None)
    assert (artifact.member_count, artifact.member_bytes) == (2, len(b"content"))
    assert (artifact.changed_count, artifact.skipped_count) == (0, 1)
    manifest = trees.manifest(result)
    assert (manifest.outcome, manifest.verified) == ("Succeeded", True)
    assert manifest.files[0].skipped == ["./socket: socket"]
    assert manifest.files[0].not_included == ["files matching *.tmp"]


@pytest.fixture
def victims(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files in the tree that vanish between the walk and the reading: few names go to tar when the walk is over."""
    walk = Walk.__iter__

    def walk_and_remove(self: Walk) -> Iterator[bytes]:
        yield from walk(self)
        for victim in trees.root.glob("victim*"):
            victim.unlink()

    monkeypatch.setattr(Walk, "__iter__", walk_and_remove)
    return [trees.root / f"victim {number}" for number in range(7)]


def meet(victims: list[Path]) -> None:
    for victim in victims:
        victim.touch()


def test_files_that_vanish_make_a_partial_backup_that_is_kept_and_does_not_count(
    trees: Trees, victims: list[Path]
) -> None:
    meet(victims)
    code, result = trees.run()
    assert (code, result.outcome, result.reason, result.retryable) == (97, "Partial", "FilesChanged", False)
    assert "source media: 7 files changed or vanished" in result.message
    assert "and 2 more" in result.message
    assert result.copies[0].state == "Succeeded"
    assert (result.artifacts[0].changed_count, result.artifacts[0].member_count) == (7, 2)
    manifest = trees.manifest(result)
    assert (manifest.outcome, manifest.verified, manifest.proved) == ("Partial", False, True)
    assert min(manifest.files[0].changed) == "./victim 0: vanished before it was read"


def test_nothing_is_pruned_after_a_partial_backup_and_it_is_no_measure_for_the_next(
    trees: Trees, victims: list[Path]
) -> None:
    kept = [trees.run(run)[1] for run in ("first",)]
    meet(victims)
    _, partial = trees.run("second")
    assert partial.retention[0].blocked == "files changed while they were read"
    assert trees.artifact(kept[0]).exists()
    _, whole = trees.run("third")
    assert (whole.outcome, whole.retention[0].blocked) == ("Succeeded", None)


def test_a_partial_backup_whose_worker_died_is_adopted_as_partial_and_completed(
    trees: Trees, victims: list[Path]
) -> None:
    meet(victims)
    _, first = trees.run()
    second = trees.folder / "second"
    second.mkdir()
    code, again = trees.run(stores=[trees.store, second])
    assert (code, again.outcome, again.reason) == (97, "Partial", "FilesChanged")
    assert again.recovery_point == first.recovery_point
    assert trees.manifest(again, second) == trees.manifest(first)
    assert [copy.state for copy in again.copies] == ["Succeeded", "Succeeded"]


@pytest.mark.parametrize(
    ("on_change", "outcome", "reason"),
    [("Accept", "Succeeded", "Succeeded"), ("Fail", "Failed", "FilesChanged")],
)
def test_the_policy_may_accept_changes_or_refuse_them(
    trees: Trees, victims: list[Path], on_change: str, outcome: str, reason: str
) -> None:
    meet(victims)
    _, result = trees.run(sources=[trees.source(onChange=on_change)])
    assert (result.outcome, result.reason) == (outcome, reason)
    if outcome == "Failed":
        assert not list(trees.store.rglob("*.tar*"))
    else:
        assert len(trees.manifest(result).files[0].changed) == 7


def test_an_adopted_archive_must_hold_what_its_manifest_tells(trees: Trees) -> None:
    _, first = trees.run()
    path = trees.store / str(first.recovery_point) / "manifest.json"
    path.chmod(0o600)
    path.write_text(path.read_text().replace('"memberCount": 2', '"memberCount": 3'))
    _, again = trees.run()
    assert (again.outcome, again.reason) == ("Failed", "ArtifactCorrupt")
    assert "holds 2 members" in again.message


def test_a_tree_that_has_lost_most_of_its_bytes_is_refused(trees: Trees) -> None:
    (trees.root / "big").write_bytes(os.urandom(1 << 20))
    trees.run("first")
    (trees.root / "big").unlink()
    _, result = trees.run("second")
    assert (result.outcome, result.reason) == ("Failed", "ImplausiblySmall")
    assert "source media: files" in result.message


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"path": "/nowhere/at/all"}, "SourceMissing"),
        ({"exclude": ["*"]}, "SourceEmpty"),
    ],
)
def test_a_wrong_place_fails_before_anything_is_written(
    trees: Trees, fields: dict[str, Any], reason: str
) -> None:
    code, result = trees.run(sources=[trees.source(**fields)])
    assert (result.outcome, result.reason, result.retryable) == ("Failed", reason, False)
    assert code == Reason[reason].exit_code
    assert not list(trees.store.rglob("*.tar*"))


def test_a_full_store_is_told_and_nothing_stays_in_it(trees: Trees, small_disk: Path) -> None:
    (trees.root / "big").write_bytes(os.urandom(8 << 20))
    _, result = trees.run(stores=[small_disk])
    assert (result.outcome, result.reason, result.retryable) == ("Failed", "StoreFull", True)
    assert not [path for path in small_disk.rglob("*") if path.is_file() and path.stat().st_size]


def test_several_sources_are_one_recovery_point(trees: Trees) -> None:
    single = {"name": "one", "files": {"path": str(trees.root / "file")}}
    _, result = trees.run(sources=[trees.source(), single])
    assert [artifact.file for artifact in result.artifacts] == ["media.tar.zst", "one.tar.zst"]
    assert len(list(trees.store.rglob("manifest.json"))) == 1


def test_where_all_is_mounted_elsewhere_paths_are_read_there(trees: Trees) -> None:
    source = {"name": "media", "files": {"path": "/srv/shop/media"}}
    volume = {"name": "volume", "files": {"volume": "shop_media"}}
    mounts = {"volumes": {"shop_media": str(trees.root)}, "paths": {"/srv/shop": str(trees.folder)}}
    (trees.folder / "media").mkdir()
    (trees.folder / "media/picture").touch()
    _, result = trees.run(sources=[source, volume], mounts=mounts)
    assert result.outcome == "Succeeded", result.message
    _, other = trees.run("second", sources=[trees.source()], mounts=mounts)
    assert (other.outcome, other.reason) == ("Failed", "InvalidOrder")
