"""What our own archives hold comes back as it was, unless it was not to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.files.hostile import END, ROOT, file, header, pax, sparse
from tests.integration.files.reading import plan, read
from tests.integration.files.trees import describe_tree, make_tree

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import CheckResult
from strongroom.sources.files.removing import remove_tree
from strongroom.sources.files.unpacking.intake import Unpacking, Wanted


def unpack(
    folder: Path,
    archive: bytes,
    members: int,
    size_bytes: int,
    *,
    special: bool = False,
    digests: bool = True,
    is_tree: bool = True,
) -> dict[str, CheckResult]:
    wanted = Wanted("media", members, size_bytes, special=special, is_tree=is_tree, digests=digests)
    with Unpacking(os.fsencode(folder), wanted) as unpacking:
        for start in range(0, len(archive), 1 << 16):
            unpacking.write(archive[start : start + (1 << 16)])
        unpacking.finish()
        unpacking.keep()
    assert all(check.passed for check in unpacking.checks)
    return {check.name: check for check in unpacking.checks}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def archived(root: Path, tmp_path: Path) -> tuple[bytes, int, int]:
    contents = read(plan(root), tmp_path / "a.tar")
    assert contents.member_count is not None
    assert contents.member_bytes is not None
    return (tmp_path / "a.tar").read_bytes(), contents.member_count, contents.member_bytes


def test_a_tree_comes_back_with_owners_modes_times_links_holes_attributes_and_any_name(
    root: Path, tmp_path: Path
) -> None:
    make_tree(root)
    os.utime(root, ns=(1, 999_999_999_000_000_001))
    expected = describe_tree(root)
    checks = unpack(tmp_path / "new", *archived(root, tmp_path), special=True)
    assert describe_tree(tmp_path / "new/tree") == expected
    assert [name.partition(": ")[2] for name in checks] == [
        "files and links",
        "bytes of files",
        "folders",
        "sum of all contents' digests",
    ]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_set_id_bits_are_taken_off_and_told_and_nothing_else_is_lost(root: Path, tmp_path: Path) -> None:
    make_tree(root)
    (root / "shared").mkdir()
    (root / "shared").chmod(0o2775)
    checks = unpack(tmp_path / "new", *archived(root, tmp_path))
    assert checks["media: rights of programs"].found == "taken off: 1: owned"
    (root / "owned").chmod(0o755)
    assert describe_tree(tmp_path / "new/tree") == describe_tree(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a program capabilities")
def test_capabilities_of_programs_are_rights_like_set_id_bits(root: Path, tmp_path: Path) -> None:
    (root / "ping").write_bytes(b"program")
    capability = bytes.fromhex("0000000200200000000000000000000000000000")
    os.setxattr(root / "ping", "security.capability", capability)
    archive = archived(root, tmp_path)
    checks = unpack(tmp_path / "new", *archive)
    assert checks["media: rights of programs"].found == "taken off: 1: ping"
    assert os.listxattr(tmp_path / "new/tree/ping") == []
    unpack(tmp_path / "as it was", *archive, special=True)
    assert os.getxattr(tmp_path / "as it was/tree/ping", "security.capability") == capability


def test_links_of_links_come_back_for_they_lead_nowhere_by_themselves(root: Path, tmp_path: Path) -> None:
    (root / "link").symlink_to("/etc/passwd")
    os.link(root / "link", root / "other", follow_symlinks=False)
    expected = describe_tree(root)
    unpack(tmp_path / "new", *archived(root, tmp_path))
    assert describe_tree(tmp_path / "new/tree") == expected


def test_a_single_file_and_an_empty_folder_come_back(root: Path, tmp_path: Path) -> None:
    (root / "only").write_bytes(b"content")
    unpack(tmp_path / "new", *archived(root / "only", tmp_path))
    assert [path.name for path in (tmp_path / "new/tree").iterdir()] == ["only"]
    unpack(tmp_path / "empty", ROOT + END, 1, 0)
    assert list((tmp_path / "empty/tree").iterdir()) == []


def test_a_very_deep_tree_comes_back_and_can_be_removed_again(root: Path, tmp_path: Path) -> None:
    names = [b"./" + b"d/" * depth for depth in range(1800)]
    archive = (
        b"".join(_folder(name) for name in names) + pax((b"path", names[-1] + b"x")) + file(b"./x") + END
    )
    with pytest.raises(StrongroomError, match="manifest"):
        unpack(tmp_path / "new", archive, 1802, 4)
    assert not (tmp_path / "new").exists()
    unpack(tmp_path / "new", archive, 1801, 4)
    remove_tree(os.fsencode(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def _folder(name: bytes) -> bytes:
    return pax((b"path", name)) + header(b"./d", b"5", mode=0o755)


def test_devices_come_back_where_they_are_allowed(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make devices")
    unpack(tmp_path / "new", ROOT + header(b"./null", b"3") + END, 2, 0, special=True)
    assert (tmp_path / "new/tree/null").is_char_device()


def test_a_configuration_comes_back_below_its_paths(tmp_path: Path) -> None:
    archive = file(b"etc/app/a.conf", b"a") + file(b"srv/b.conf", b"b") + header(b"srv/d", b"5", mode=0o755)
    unpack(tmp_path / "new", archive + END, 3, 2, is_tree=False)
    assert (tmp_path / "new/tree/etc/app/a.conf").read_bytes() == b"a"


def test_a_file_of_holes_has_the_room_of_its_data_alone(tmp_path: Path) -> None:
    unpack(
        tmp_path / "new",
        ROOT + sparse(b"2\n0\n512\n%d\n0\n" % (5 << 40), b"x" * 512, 5 << 40) + END,
        2,
        5 << 40,
    )
    facts = (tmp_path / "new/tree/s").stat()
    assert facts.st_size == 5 << 40
    assert facts.st_blocks * 512 < 1 << 20


def test_a_full_disk_is_told_and_left_as_it_was(root: Path, small_disk: Path, tmp_path: Path) -> None:
    for name in range(8):
        (root / str(name)).write_bytes(os.urandom(1 << 20))
    with pytest.raises(StrongroomError, match="No space left") as caught:
        unpack(small_disk / "new", *archived(root, tmp_path))
    assert caught.value.reason is Reason.NotEnoughSpace
    assert list(small_disk.iterdir()) == []


def test_without_root_owners_are_not_given_back_and_that_is_told(root: Path, tmp_path: Path) -> None:
    (root / "file").write_bytes(b"content")
    archive, members, size_bytes = archived(root, tmp_path)
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    script = (
        "import os, sys; from pathlib import Path; from tests.integration.files.test_unpacking import unpack;"
        "os.setgroups([]); os.setgid(12345); os.setuid(12345);"
        f"print(unpack(Path.cwd() / 'new', sys.stdin.buffer.read(), {members}, {size_bytes})['media: owners'].found)"
    )
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    here = Path(__file__).resolve().parents[3]
    environment = {
        "PYTHONPATH": f"{here}:{here / 'operator'}",
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
    }
    for above in tmp_path.parents:
        if above != Path("/tmp") and above.is_relative_to("/tmp"):
            above.chmod(0o755)
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=archive,
        cwd=tmp_path / "theirs",
        env=environment,
        capture_output=True,
        check=False,
    )
    assert b"the worker is not root" in done.stdout, done.stderr
    assert (tmp_path / "theirs/new/tree/file").stat().st_uid == 12345
