"""Files that change or vanish while they are read are named and counted; what cannot be read is never left out in silence."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.files.reading import plan, read
from tests.integration.files.trees import extract

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.selection import Selection
from strongroom.sources.files.walking import Tree, Walk
from strongroom.sources.reading import Contents, Reading

BIG = 8 << 20
"""More than the pipe from tar holds: tar waits in the middle of such a file until it is read on."""
NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A big file that is read first, and others in a folder that comes after it."""
    folder = tmp_path / "root"
    (folder / "later").mkdir(parents=True)
    (folder / "big").write_bytes(b"b" * BIG)
    for number in range(3):
        (folder / f"later/{number}").write_bytes(b"small")
    return folder


def read_around(reading: Reading, act: Callable[[], Any]) -> Contents:
    """Do something when tar has all names and is in the middle of the big file."""
    buffer = memoryview(bytearray(1 << 16))
    with reading.start_check("Full") as check, reading.start() as stream:
        check.write(buffer[: stream.readinto(buffer)])
        act()
        while count := stream.readinto(buffer):
            check.write(buffer[:count])
        stream.finish()
        return check.finish()


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    "change",
    [
        append,
        lambda path: os.truncate(path, BIG // 2),
        lambda path: path.chmod(0o600),
        lambda path: path.unlink(),
    ],
    ids=["grows", "shrinks", "gets another mode", "is removed"],
)
def test_a_file_that_changes_under_the_reader_is_named_once(
    root: Path, change: Callable[[Path], Any]
) -> None:
    contents = read_around(plan(root), lambda: change(root / "big"))
    assert (contents.changed.count, contents.changed.first) == (1, ["./big: changed while it was read"])
    assert contents.member_count == 6


def test_files_that_vanish_before_they_are_read_are_named_and_the_rest_is_whole(root: Path) -> None:
    (root / "later/odd \n\xff:").touch()

    def remove() -> None:
        (root / "later/1").unlink()
        (root / "later/odd \n\xff:").unlink()

    contents = read_around(plan(root), remove)
    assert sorted(contents.changed.first) == [
        "./later/1: vanished before it was read",
        "./later/odd \\n\xff:: vanished before it was read",
    ]
    assert contents.member_count == 5


def test_a_file_changed_before_its_turn_is_read_as_it_is_then(root: Path, tmp_path: Path) -> None:
    contents = read_around(plan(root), lambda: append(root / "later/1"))
    assert contents.changed.count == 0


def test_a_folder_that_vanishes_during_the_walk_is_named(root: Path) -> None:
    walk = Walk("media", [Tree(os.fsencode(root), b".", b".")], Selection([], [], "media"))
    names = iter(walk)
    taken = [next(names), next(names)]
    (root / "later").rename(root.parent / "elsewhere")
    assert [*taken, *names] == [b".", b"./big"]
    assert walk.vanished.first == ["./later: vanished before it was read"]


def test_a_policy_may_refuse_a_backup_of_files_that_changed(root: Path) -> None:
    with pytest.raises(StrongroomError, match=r"1 files changed .*big") as caught:
        read_around(plan(root, onChange="Fail"), lambda: append(root / "big"))
    assert caught.value.reason is Reason.FilesChanged


def test_many_changes_are_counted_exactly_and_named_in_part(root: Path) -> None:
    for number in range(3000):
        (root / f"later/f{number}").touch()

    def remove() -> None:
        for number in range(2500):
            (root / f"later/f{number}").unlink()

    # As many names as tar is told at once: those that it has not got yet are not there for the walk either.
    contents = read_around(plan(root), remove)
    assert contents.changed.count == 2500
    assert len(contents.changed.first) == 1000


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of a user without rights, as whom files are read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_cannot_be_read_fails_the_reading_and_is_named(nobody: Path, is_folder: bool) -> None:
    (nobody / "root").mkdir()
    (nobody / "root/open").touch()
    hidden = nobody / "root/hid\nden"
    hidden.mkdir() if is_folder else hidden.touch()
    hidden.chmod(0)
    with pytest.raises(StrongroomError, match=r"hid\\nden.*Permission denied") as caught:
        read(plan(nobody / "root"), nobody / "a.tar")
    assert caught.value.reason is Reason.ReadFailed


def test_the_reading_of_a_user_without_rights_says_what_it_lacks(nobody: Path) -> None:
    (nobody / "root").mkdir()
    (nobody / "root/file").write_bytes(b"x")
    reading = plan(nobody / "root")
    read(reading, nobody / "a.tar")
    assert reading.origin.not_included == ["extended attributes that only root can read"]


def test_a_tar_that_is_killed_is_no_success(root: Path) -> None:
    def kill() -> None:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        tars = [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() == "tar\n"]
        os.kill(tars[0], 9)

    with pytest.raises(StrongroomError) as caught:
        read_around(plan(root), kill)
    assert caught.value.reason is Reason.DumpIncomplete


def test_leaving_early_ends_tar_and_the_walk(root: Path, tmp_path: Path) -> None:
    with plan(root).start() as stream:
        stream.readinto(memoryview(bytearray(100)))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == "tar\n"]
    read(plan(root), tmp_path / "a.tar")
    extract(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "out/big").stat().st_size == BIG
