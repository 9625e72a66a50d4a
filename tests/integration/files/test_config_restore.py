"""Configuration comes back file by file; what differs is told by names and counts, and never by contents."""

import re
from typing import Any

import pytest
from tests.integration.files.orders import Trees, drop_order, restore_order
from tests.integration.files.test_restore import leftovers, succeed
from tests.integration.files.trees import describe_tree

from strongroom.sources.files.restoring import fileplans

FOLDERS = {".", "app", "app/parts"}
"""Not exchanged: their times change with what is in them."""


@pytest.fixture
def source(trees: Trees) -> dict[str, Any]:
    """A file and a folder of the host, backed up."""
    etc = trees.folder / "etc"
    (etc / "app/parts").mkdir(parents=True)
    (etc / "app/main.conf").write_text("one\ntwo\nthree\n")
    (etc / "app/parts/same.conf").write_text("as it was")
    (etc / "app/parts/gone.conf").write_text("secret-canary\n")
    (etc / "app/link").symlink_to("main.conf")
    (etc / "vault").write_text("password: secret-canary\n")
    (etc / "vault").chmod(0o600)
    paths = [str(etc / "app"), str(etc / "vault")]
    source = {"name": "config", "config": {"paths": paths, "allowUnencrypted": True}}
    _, result = trees.run(sources=[source])
    assert result.outcome == "Succeeded", result.message
    return source


def damage(trees: Trees) -> None:
    etc = trees.folder / "etc"
    (etc / "app/main.conf").write_text("one\nchanged\nthree\nfour\n")
    (etc / "app/parts/gone.conf").unlink()
    (etc / "app/link").unlink()
    (etc / "app/link").symlink_to("/etc/passwd")
    (etc / "app/made later").write_text("stays")
    (etc / "vault").write_text("password: other\n")
    (etc / "vault").chmod(0o644)


def files(trees: Trees) -> dict[str, tuple[object, ...]]:
    found = describe_tree(trees.folder / "etc")
    return {
        name: facts for name, facts in found.items() if name not in FOLDERS and ".strongroom-" not in name
    }


def test_only_what_differs_is_exchanged_and_told_without_its_contents(
    trees: Trees, source: dict[str, Any]
) -> None:
    etc = trees.folder / "etc"
    expected, same = files(trees), (etc / "app/parts/same.conf").stat().st_ino
    damage(trees)
    damaged = files(trees)
    result, outcome = succeed(trees, restore_order(trees, source))
    assert files(trees) == {**expected, "app/made later": damaged["app/made later"]}
    assert (etc / "app/parts/same.conf").stat().st_ino == same
    assert sorted(outcome.differences) == [
        f"{etc}/app/link: changed, of 11 and now 9 bytes",
        f"{etc}/app/main.conf: changed, 1 lines added, 2 taken away",
        f"{etc}/app/parts/gone.conf: added, 1 lines",
        f"{etc}/vault: changed, 1 lines added, 1 taken away",
    ]
    assert "canary" not in result.model_dump_json()
    (trees.folder / "journal/restore.json").unlink()
    for plan in etc.glob("**/.strongroom-*/plan"):  # as after a start of the machine
        plan.write_text(re.sub(r'"device":\d+', '"device":1', plan.read_text()))
    _, back = succeed(trees, restore_order(trees, source), roll_back=True)
    assert back.rolled_back
    assert (files(trees), leftovers(trees)) == (damaged, [])
    succeed(trees, drop_order(trees, outcome.replaced, source))


def test_what_was_replaced_is_dropped_and_nothing_else(trees: Trees, source: dict[str, Any]) -> None:
    damage(trees)
    _, outcome = succeed(trees, restore_order(trees, source))
    assert len(leftovers(trees)) == 2
    for _ in range(2):
        succeed(trees, drop_order(trees, outcome.replaced, source))
        assert leftovers(trees) == []
    assert (trees.folder / "etc/app/made later").exists()


def test_a_restore_of_what_is_there_already_changes_nothing(trees: Trees, source: dict[str, Any]) -> None:
    before = describe_tree(trees.folder / "etc")
    _, outcome = succeed(trees, restore_order(trees, source))
    assert (outcome.differences, outcome.replaced, leftovers(trees)) == ([], [], [])
    assert describe_tree(trees.folder / "etc") == before


def test_a_folder_that_is_gone_is_made_again(trees: Trees, source: dict[str, Any]) -> None:
    app = trees.folder / "etc/app"
    expected = files(trees)
    for path in sorted(app.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    app.rmdir()
    order = restore_order(trees, source)
    _, outcome = succeed(trees, order)
    assert (files(trees), outcome.replaced, leftovers(trees)) == (expected, [], [])


def test_files_that_the_policy_does_not_name_any_more_are_left_out(
    trees: Trees, source: dict[str, Any]
) -> None:
    damage(trees)
    fewer = {**source, "config": {**source["config"], "paths": [str(trees.folder / "etc/app")]}}
    _, outcome = succeed(trees, restore_order(trees, fewer))
    assert (trees.folder / "etc/vault").read_text() == "password: other\n"
    (check,) = [check for check in outcome.checks if "any more" in check.name]
    assert str(check.found).startswith("left out: 1: ")


def test_no_file_goes_through_a_link_that_somebody_has_laid(trees: Trees, source: dict[str, Any]) -> None:
    parts = trees.folder / "etc/app/parts"
    for name in ("same.conf", "gone.conf"):
        (parts / name).unlink()
    parts.rmdir()
    (trees.folder / "elsewhere").mkdir()
    parts.symlink_to(trees.folder / "elsewhere")
    _, result = trees.carry_out(restore_order(trees, source))
    assert (result.reason, "symbolic link" in result.message) == ("RestoreFailed", True)
    assert list((trees.folder / "elsewhere").iterdir()) == []
    assert leftovers(trees) == []


def test_a_folder_for_review_holds_every_file_by_its_path(trees: Trees, source: dict[str, Any]) -> None:
    succeed(trees, restore_order(trees, mode="Directory", path=str(trees.folder / "review")))
    below = trees.folder / "review/config" / (trees.folder / "etc").relative_to("/")
    assert (below / "vault").stat().st_mode & 0o777 == 0o600
    assert (below / "app/main.conf").read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("number", range(1, 5))
@pytest.mark.parametrize("roll_back", [True, False])
def test_a_kill_between_two_files_is_gone_on_from_or_put_back(
    trees: Trees, source: dict[str, Any], number: int, roll_back: bool
) -> None:
    restored = files(trees)
    damage(trees)
    damaged = files(trees)
    done = [0]
    put_in = fileplans.Top.put_in

    class KilledError(BaseException):
        pass

    def dying(self: fileplans.Top, *arguments: Any) -> None:
        done[0] += 1
        if done[0] == number:
            raise KilledError
        put_in(self, *arguments)

    order = restore_order(trees, source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fileplans.Top, "put_in", dying)
        patch.setattr("strongroom.worker.restoring.exchanging.Exchange._fail", lambda *_: None)
        with pytest.raises(KilledError):
            trees.carry_out(order)
    _, outcome = succeed(trees, order, roll_back=roll_back)
    assert outcome.rolled_back is roll_back
    if roll_back:
        assert (files(trees), leftovers(trees)) == (damaged, [])
    else:
        assert files(trees) == {**restored, "app/made later": damaged["app/made later"]}
