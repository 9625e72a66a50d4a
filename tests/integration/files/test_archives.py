"""What stock tar makes of an archive is the tree that was read."""

import os
from pathlib import Path

import pytest
from tests.integration.files.reading import plan, read, read_back
from tests.integration.files.trees import describe_tree, extract, make_socket, make_tree

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.roots import build_root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_everything_about_every_file_comes_back(root: Path, tmp_path: Path) -> None:
    make_tree(root)
    expected = describe_tree(root)
    contents = read(plan(root), tmp_path / "a.tar")
    extract(tmp_path / "a.tar", tmp_path / "out")
    assert describe_tree(tmp_path / "out") == expected
    assert contents.member_count == len(expected)
    assert (contents.changed.count, contents.skipped.count) == (0, 0)


def test_the_bytes_counted_are_those_of_the_unpacked_files(root: Path, tmp_path: Path) -> None:
    (root / "a").write_bytes(b"x" * 1000)
    os.link(root / "a", root / "b")
    with (root / "hole").open("wb") as hole:
        hole.truncate(9 << 30)
    assert read(plan(root), tmp_path / "a.tar").member_bytes == 1000 + (9 << 30)
    assert (tmp_path / "a.tar").stat().st_size < 1 << 20


def test_two_readings_of_one_tree_are_the_same_bytes_but_for_names_of_holes(
    root: Path, tmp_path: Path
) -> None:
    make_tree(root)
    for name in ("sparse", "all hole"):
        (root / name).unlink()
    for name in ("a.tar", "b.tar"):
        read(plan(root), tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_single_file_is_archived_under_its_name(root: Path, tmp_path: Path) -> None:
    (root / "only\\n").write_bytes(b"content")
    contents = read(plan(root / "only\\n"), tmp_path / "a.tar")
    extract(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "out/only\\n").read_bytes() == b"content"
    assert contents.member_count == 1


def test_a_root_that_is_a_link_is_what_it_leads_to(root: Path, tmp_path: Path) -> None:
    (root / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(root)
    read(plan(tmp_path / "link"), tmp_path / "a.tar")
    extract(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "out/file").read_bytes() == b"content"


def test_a_volume_that_is_mounted_nowhere_is_never_taken_for_our_own_folder() -> None:
    with pytest.raises(StrongroomError, match="mounted nowhere") as caught:
        build_root("", "source media")
    assert caught.value.reason is Reason.SourceMissing


def test_sockets_and_devices_are_told_and_left_out(root: Path, tmp_path: Path) -> None:
    (root / "file").touch()
    make_socket(root / "a socket\n")
    expected = ["./a socket\\n: socket"]
    if os.geteuid() == 0:
        os.mknod(root / "null", 0o666 | 0o020000, os.makedev(1, 3))
        expected.append("./null: character device")
    contents = read(plan(root), tmp_path / "a.tar")
    assert (contents.skipped.count, sorted(contents.skipped.first)) == (len(expected), expected)
    extract(tmp_path / "a.tar", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["file"]


def test_patterns_take_and_leave_as_gitignore_has_it(root: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "a.txt", "cache/b.jpg", "cache/keep.jpg", "deep/er/c.jpg", "deep/other/d.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "deep").chmod(0o700)
    reading = plan(root, include=["*.jpg"], exclude=["cache/*", "!cache/keep.jpg"])
    read(reading, tmp_path / "a.tar")
    extract(tmp_path / "a.tar", tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")}
    assert found == {"a.jpg", "cache", "cache/keep.jpg", "deep", "deep/er", "deep/er/c.jpg"}
    assert (tmp_path / "out/deep").stat().st_mode & 0o777 == 0o700
    assert reading.origin.not_included[0] == "files that match none of: *.jpg"


def test_a_folder_that_is_left_out_is_not_even_looked_into(root: Path, tmp_path: Path) -> None:
    (root / "file").touch()
    (root / "cache/deep").mkdir(parents=True)
    contents = read(plan(root, exclude=["/cache/"]), tmp_path / "a.tar")
    assert contents.member_count == 2


def test_a_missing_root_and_an_empty_one_are_refused(root: Path, tmp_path: Path) -> None:
    (root / "folders/only").mkdir(parents=True)
    for path, fields, reason in (
        (root / "missing", {}, Reason.SourceMissing),
        (root, {}, Reason.SourceEmpty),
        (root, {"exclude": ["!"]}, Reason.InvalidSpec),
    ):
        with pytest.raises(StrongroomError) as caught:
            plan(path, **fields)
        assert caught.value.reason is reason
    (root / "file").touch()
    with pytest.raises(StrongroomError, match="no file"):
        plan(root, exclude=["file"])


def test_a_root_that_is_a_socket_holds_no_file(root: Path) -> None:
    make_socket(root / "socket")
    with pytest.raises(StrongroomError) as caught:
        plan(root / "socket")
    assert caught.value.reason is Reason.SourceEmpty


def test_an_empty_root_is_archived_where_that_is_allowed(root: Path, tmp_path: Path) -> None:
    assert read(plan(root, allowEmpty=True), tmp_path / "a.tar").member_count == 1


def test_any_cut_is_found_at_the_border_of_a_member_too(root: Path, tmp_path: Path) -> None:
    for number in range(5):
        (root / f"file {number}").write_bytes(bytes([65 + number]) * 700)
    reading = plan(root)
    contents = read(reading, tmp_path / "a.tar")
    whole = (tmp_path / "a.tar").read_bytes()
    assert read_back(reading, whole) == contents
    end = len(whole.rstrip(b"\0"))
    for length in [*range(0, end + 1024, 256), 1, end - 1, end + 1]:
        with pytest.raises(StrongroomError):
            read_back(reading, whole[:length])


def test_an_archive_of_other_files_is_not_taken_for_this_one(root: Path, tmp_path: Path) -> None:
    (root / "file").write_bytes(b"x")
    reading = plan(root)
    read(reading, tmp_path / "a.tar")
    (root / "file").rename(root / "fail")
    read(plan(root), tmp_path / "b.tar")
    with pytest.raises(StrongroomError, match="or others"):
        read_back(reading, (tmp_path / "b.tar").read_bytes())
