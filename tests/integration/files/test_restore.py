"""Files come back in one piece: into a folder of their own, or in the place of what is there, which is kept beside."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.files.orders import Trees, drop_order, restore_order
from tests.integration.files.trees import describe_tree, make_tree

from strongroom.api.restoring import RestoreOutcome
from strongroom.api.result import WorkResult


@pytest.fixture(params=["folder", "mount"])
def place(request: pytest.FixtureRequest, trees: Trees) -> Iterator[Path]:
    """What is backed up and restored: a plain folder, or the root of a mount, which cannot be renamed."""
    if request.param == "folder":
        yield trees.root
        return
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    (trees.root / "file").unlink()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0751", "tmpfs", trees.root], check=True)
    try:
        (trees.root / "file").write_bytes(b"content")
        yield trees.root
    finally:
        subprocess.run(["umount", trees.root], check=True)


def seen(place: Path) -> dict[str, tuple[object, ...]]:
    """All that is there but for what restores keep there."""
    return {
        name: facts for name, facts in describe_tree(place).items() if not name.startswith(".strongroom-")
    }


def back_up(trees: Trees, **fields: Any) -> dict[str, Any]:
    source = trees.source(**fields)
    _, result = trees.run(sources=[source])
    assert result.outcome == "Succeeded", result.message
    return source


def succeed(trees: Trees, order: dict[str, Any], **more: Any) -> tuple[WorkResult, RestoreOutcome]:
    code, result = trees.carry_out(order, **more)
    assert (code, result.outcome) == (0, "Succeeded"), result.message
    return result, result.restore or RestoreOutcome()


def leftovers(trees: Trees) -> list[str]:
    return [str(path) for path in trees.folder.glob("**/.strongroom-*")]


def test_a_damaged_tree_is_replaced_whole_and_kept_until_it_is_dropped(trees: Trees, place: Path) -> None:
    make_tree(place)
    place.chmod(0o2755)
    source = back_up(trees)
    expected = seen(place)
    (place / "plain").write_bytes(b"damaged")
    (place / "empty").unlink()
    (place / "new file").write_bytes(b"made later")
    place.chmod(0o700)
    damaged = seen(place)
    _, outcome = succeed(trees, restore_order(trees, source, allowSpecialFiles=True))
    assert seen(place) == expected
    (kept,) = outcome.replaced
    assert (kept.kind, kept.original) == ("folder", str(place))
    old = Path(kept.kept_as) / ("tree" if (Path(kept.kept_as) / "tree/plain").exists() else "old")
    assert {name: facts for name, facts in seen(old).items() if name != "."} == {
        name: facts for name, facts in damaged.items() if name != "."
    }
    _result, outcome = succeed(trees, drop_order(trees, outcome.replaced, source))
    assert (outcome.replaced, leftovers(trees)) == ([], [])
    assert seen(place) == expected
    succeed(trees, drop_order(trees, [kept], source))


def test_the_next_backup_does_not_hold_what_a_restore_has_kept(trees: Trees, place: Path) -> None:
    source = back_up(trees)
    succeed(trees, restore_order(trees, source))
    _, again = trees.run("second", sources=[source])
    assert again.artifacts[0].member_count == 2


def test_a_plan_tells_what_is_overwritten_and_changes_nothing(trees: Trees, place: Path) -> None:
    source = back_up(trees)
    before = describe_tree(place)
    result, _ = succeed(trees, restore_order(trees, source, kind="PlanRestore"))
    assert result.plan is not None
    assert result.plan.confirmation == str(place)
    (item,) = result.plan.items
    assert (item.into, item.overwrites, item.kind) == (str(place), True, "files")
    assert item.present_bytes is not None
    assert item.free_bytes is not None
    assert describe_tree(place) == before
    assert leftovers(trees) == []


def test_nothing_is_touched_that_was_not_confirmed(trees: Trees) -> None:
    source = back_up(trees)
    before = describe_tree(trees.root)
    _, result = trees.carry_out(restore_order(trees, source, overwrites=[]))
    assert result.reason == "ConfirmationWrong"
    assert (describe_tree(trees.root), leftovers(trees)) == (before, [])


def test_what_patterns_leave_out_stays_and_what_was_backed_up_is_replaced(trees: Trees, place: Path) -> None:
    for name in ("cache/a.tmp", "cache/deep/b", "kept/c", "kept/d.tmp"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("first")
    (place / "cache").chmod(0o711)
    source = back_up(trees, exclude=["/cache/", "*.tmp"])
    for name in ("cache/a.tmp", "cache/deep/b", "kept/c", "kept/d.tmp", "kept/new"):
        (place / name).write_text("second")
    result, _ = succeed(trees, restore_order(trees, source, kind="PlanRestore"))
    assert result.plan is not None
    assert any("patterns leave out" in line for line in result.plan.lines)
    succeed(trees, restore_order(trees, source))
    found = {
        name: (place / name).read_text() for name in ("cache/a.tmp", "cache/deep/b", "kept/c", "kept/d.tmp")
    }
    assert found == {
        "cache/a.tmp": "second",
        "cache/deep/b": "second",
        "kept/c": "first",
        "kept/d.tmp": "second",
    }
    assert not (place / "kept/new").exists()
    assert (place / "cache").stat().st_mode & 0o777 == 0o711


def test_a_folder_that_is_gone_is_made_again_and_nothing_is_left_beside_it(trees: Trees) -> None:
    source = back_up(trees)
    expected = describe_tree(trees.root)
    (trees.root / "file").unlink()
    trees.root.rmdir()
    _, outcome = succeed(trees, restore_order(trees, source))
    assert (describe_tree(trees.root), outcome.replaced, leftovers(trees)) == (expected, [], [])


def test_a_single_file_is_exchanged_with_the_one_that_is_there(trees: Trees) -> None:
    target = {"name": "media", "files": {"path": str(trees.root / "file")}}
    _, backup = trees.run(sources=[target])
    assert backup.outcome == "Succeeded"
    (trees.root / "file").write_bytes(b"damaged")
    _, outcome = succeed(trees, restore_order(trees, target))
    assert (trees.root / "file").read_bytes() == b"content"
    kept = Path(outcome.replaced[0].kept_as)
    assert (kept / "tree/file").read_bytes() == b"damaged"
    succeed(trees, drop_order(trees, outcome.replaced, target))
    assert leftovers(trees) == []


def test_what_is_not_to_be_kept_is_dropped_at_once(trees: Trees, place: Path) -> None:
    source = back_up(trees)
    _, outcome = succeed(trees, restore_order(trees, source, keepsReplaced=False))
    assert (outcome.replaced, leftovers(trees)) == ([], [])


def test_all_sources_come_into_a_folder_of_their_own_in_a_new_one(trees: Trees) -> None:
    make_tree(trees.root)
    back_up(trees)
    expected = describe_tree(trees.root)
    _, outcome = succeed(
        trees, restore_order(trees, mode="Directory", path=str(trees.folder / "out"), allowSpecialFiles=True)
    )
    assert describe_tree(trees.folder / "out/media") == expected
    assert [path.name for path in (trees.folder / "out").iterdir()] == ["media"]
    assert outcome.replaced == []


def test_a_folder_that_is_not_empty_is_no_place_for_a_restore(trees: Trees) -> None:
    back_up(trees)
    (trees.folder / "out").mkdir()
    (trees.folder / "out/something").touch()
    order = restore_order(trees, mode="Directory", path=str(trees.folder / "out"))
    _, result = trees.carry_out(order)
    assert (result.reason, "something" in result.message) == ("TargetExists", True)
    assert [path.name for path in (trees.folder / "out").iterdir()] == ["something"]


def test_lack_of_room_is_told_before_anything_is_written(trees: Trees, small_disk: Path) -> None:
    (trees.root / "big").write_bytes(os.urandom(8 << 20))
    back_up(trees)
    _, result = trees.carry_out(restore_order(trees, mode="Directory", path=str(small_disk / "out")))
    assert result.reason == "NotEnoughSpace"
    assert "are free" in result.message
    assert list(small_disk.iterdir()) == []


def test_a_name_that_no_restore_has_made_is_never_dropped(trees: Trees) -> None:
    source = back_up(trees)
    _, outcome = succeed(trees, restore_order(trees, source))
    (kept,) = outcome.replaced
    for name in (str(trees.root), f"{trees.folder}/.strongroom-other", "/etc"):
        forged = kept.model_copy(update={"kept_as": name})
        _, result = trees.carry_out(drop_order(trees, [forged], source))
        assert result.reason == "RestoreFailed"
        assert "no name that this restore has made" in result.message
    _, result = trees.carry_out(drop_order(trees, [kept], source, uid="uid-another"))
    assert result.reason == "RestoreFailed"
    assert (trees.root / "file").exists()
    assert Path(kept.kept_as).exists()


def test_a_mount_inside_of_what_is_replaced_is_refused(trees: Trees) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    source = back_up(trees)
    (trees.root / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", trees.root / "below"], check=True)
    try:
        _, result = trees.carry_out(restore_order(trees, source))
    finally:
        subprocess.run(["umount", trees.root / "below"], check=True)
    assert (result.reason, "is mounted inside" in result.message) == ("Unsupported", True)


def test_a_worker_that_is_to_give_up_puts_the_old_back(trees: Trees, place: Path) -> None:
    source = back_up(trees)
    (place / "file").write_bytes(b"damaged")
    damaged = seen(place)
    order = restore_order(trees, source)
    succeed(trees, order)
    (trees.folder / "journal/restore.json").unlink()
    assert (place / "file").read_bytes() == b"content"
    _, outcome = succeed(trees, order, roll_back=True)
    assert outcome.rolled_back
    assert (seen(place), leftovers(trees)) == (damaged, [])


def test_a_tree_in_another_one_is_not_restored_by_the_same_request(trees: Trees) -> None:
    inner = trees.root / "inner"
    inner.mkdir()
    (inner / "file").write_text("first")
    sources = [
        {"name": "outer", "files": {"path": str(trees.root), "exclude": ["/inner/"]}},
        {"name": "inner", "files": {"path": str(inner)}},
    ]
    _, result = trees.run(sources=sources)
    assert result.outcome == "Succeeded", result.message
    (inner / "file").write_text("second")
    _, result = trees.carry_out(restore_order(trees, *sources, kind="PlanRestore"))
    assert (result.reason, "sources outer and inner" in result.message) == ("InvalidSpec", True), (
        result.message
    )
    _, result = trees.carry_out(restore_order(trees, *sources))
    assert (result.reason, leftovers(trees)) == ("InvalidSpec", [])
    choice = {"policy": "shop", "run": "first", "sources": ["inner"]}
    succeed(trees, restore_order(trees, sources[1], choice=choice))
    assert (inner / "file").read_text() == "first"


def test_a_folder_that_appears_after_the_plan_stays_as_it_is(trees: Trees) -> None:
    source = back_up(trees)
    place = trees.root
    place.rename(place.with_name("away"))
    order = restore_order(trees, source, overwrites=[], hooks=None)
    place.mkdir()
    _, result = trees.carry_out(order)
    assert result.reason == "ConfirmationWrong", result.message
    assert (list(place.iterdir()), leftovers(trees)) == ([], [])
