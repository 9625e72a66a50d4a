"""Files that change or vanish while they are read are named and counted; what cannot be read is never left out in silence."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.files.reading import plan, read, read_around
from tests.integration.files.trees import extract, make_socket

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.selection import Selection
from strongroom.sources.files.walking import Tree, Walk

BIG = 8 << 20
"""More than the pipe from tar holds: tar waits in the middle of such a file until it is read on."""
NOBODY = 65534
_CHURN = """
import os, random, socket, sys
from contextlib import suppress
from pathlib import Path

def write(path):
    path.write_bytes(b"x" * random.randrange(100_000))

def bind(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))

root = Path(sys.argv[1])
makers = [write, write, os.mkfifo, bind, Path.mkdir, lambda path: path.symlink_to("/etc/passwd"), lambda path: None]
print("begun", flush=True)
while True:
    path = root / str(random.randrange(300))
    with suppress(FileNotFoundError):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    random.choice(makers)(path)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A big file that is read first, and others in a folder that comes after it."""
    folder = tmp_path / "root"
    (folder / "later").mkdir(parents=True)
    (folder / "big").write_bytes(b"b" * BIG)
    for number in range(3):
        (folder / f"later/{number}").write_bytes(b"small")
    return folder


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


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("replace", "kind"),
    [
        (make_pipe, stat.S_ISFIFO),
        (lambda path: path.symlink_to("/etc/passwd"), stat.S_ISLNK),
        (Path.mkdir, stat.S_ISDIR),
    ],
    ids=["pipe", "link", "folder"],
)
@pytest.mark.timeout(60)
def test_what_replaces_a_file_is_archived_as_what_it_is_and_nothing_is_waited_for(
    root: Path, tmp_path: Path, replace: Callable[[Path], Any], kind: Callable[[int], bool]
) -> None:
    def act() -> None:
        (root / "later/1").unlink()
        replace(root / "later/1")

    with (tmp_path / "a.tar").open("wb") as archive:
        contents = read_around(plan(root), act, archive)
    extract(tmp_path / "a.tar", tmp_path / "out")
    assert kind((tmp_path / "out/later/1").lstat().st_mode)
    assert (contents.member_count, contents.changed.count) == (6, 0)


def test_a_file_that_a_socket_replaces_is_told_and_left_out(root: Path) -> None:
    def act() -> None:
        (root / "later/1").unlink()
        make_socket(root / "later/1")

    contents = read_around(plan(root), act)
    assert (contents.member_count, contents.skipped.first) == (5, ["./later/1: socket"])


def test_what_lies_below_a_folder_that_a_file_replaces_has_vanished(root: Path) -> None:
    def act() -> None:
        (root / "later").rename(root.parent / "elsewhere")
        (root / "later").touch()

    contents = read_around(plan(root), act)
    assert (contents.member_count, contents.changed.count) == (3, 3)


def test_a_folder_that_a_link_replaces_leads_nowhere_out_of_the_tree(root: Path) -> None:
    (root.parent / "secret").mkdir()
    for number in range(3):
        (root.parent / f"secret/{number}").write_bytes(b"other")

    def act() -> None:
        (root / "later").rename(root.parent / "elsewhere")
        (root / "later").symlink_to(root.parent / "secret")

    with pytest.raises(StrongroomError, match=r"\./later/\d: Cannot open: Permission denied") as caught:
        read_around(plan(root), act)
    assert caught.value.reason is Reason.ReadFailed


def test_a_folder_that_is_moved_within_the_tree_is_read_by_a_link_to_it(root: Path, tmp_path: Path) -> None:
    def act() -> None:
        (root / "later").rename(root / "moved")
        (root / "later").symlink_to(root / "moved")

    with (tmp_path / "a.tar").open("wb") as archive:
        assert read_around(plan(root), act, archive).member_count == 6


def test_a_backup_of_nothing_but_folders_is_no_success_although_changes_are_accepted(root: Path) -> None:
    (root / "big").rename(root / "later/big")
    reading = plan(root, onChange="Accept")
    for path in (root / "later").iterdir():
        path.unlink()
    with pytest.raises(StrongroomError, match="no file") as caught:
        read(reading, root.parent / "a.tar")
    assert caught.value.reason is Reason.SourceEmpty


@pytest.mark.timeout(120)
def test_files_that_turn_into_others_all_the_time_never_hold_the_reading_up(tmp_path: Path) -> None:
    """Whenever tar looks, and between its look and its opening: whatever is there then is archived, or named."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root/rock").touch()
    with subprocess.Popen(
        [sys.executable, "-c", _CHURN, str(tmp_path / "root")], stdout=subprocess.PIPE
    ) as churn:
        assert churn.stdout is not None
        assert churn.stdout.readline() == b"begun\n"
        try:
            for number in range(40):
                read(plan(tmp_path / "root"), tmp_path / "a.tar")
                extract(tmp_path / "a.tar", tmp_path / f"out{number}")
                assert (tmp_path / f"out{number}/rock").exists()
        finally:
            churn.kill()


def test_a_folder_that_vanishes_during_the_walk_is_named(root: Path) -> None:
    walk = Walk("media", [Tree(os.fsencode(root), b".", b".")], Selection([], [], "media"))
    names = iter(walk)
    taken = [next(names), next(names)]
    (root / "later").rename(root.parent / "elsewhere")
    assert [*taken, *names] == [b".", b"./big"]
    assert walk.vanished.first == ["./later: vanished before it was read"]


def test_a_policy_may_refuse_a_backup_of_files_that_changed(root: Path) -> None:
    with pytest.raises(StrongroomError, match=r"1 file changed .*big") as caught:
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


def test_root_without_the_might_to_see_trusted_attributes_says_what_it_lacks(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a capability up")
    (tmp_path / "file").touch()
    look = "import sys; from pathlib import Path; from tests.integration.files.reading import plan; "
    script = look + "print(plan(Path(sys.argv[1])).origin.not_included)"
    weaker = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", sys.executable, "-c", script]
    told = subprocess.run([*weaker, tmp_path], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "['extended attributes that only root can read']"


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
