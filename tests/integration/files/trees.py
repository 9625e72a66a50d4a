"""Trees of files with all that is hard to keep, and what is to be seen of two that are equal."""

import os
import socket
import stat
import struct
import subprocess
from pathlib import Path

HARD_NAMES = (
    b"line\nbreak",
    b"back\\slash\\n\\012",
    b"not utf-8 \xff\xfe",
    b"-option",
    b"--checkpoint-action=exec=false",
    b'quote"and:colon',
    b" spaces ",
    "ümläut-日本".encode(),
    b"tab\tand\x01control",
    b"n" * 255,
)
_ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, permissions, identity)
    for tag, permissions, identity in [
        (0x01, 6, 0xFFFFFFFF),
        (0x02, 4, 1234),
        (0x04, 4, 0xFFFFFFFF),
        (0x10, 6, 0xFFFFFFFF),
        (0x20, 0, 0xFFFFFFFF),
    ]
)
"""user::rw- user:1234:r-- group::r-- mask::rw- other::---, as the kernel keeps it."""


def make_tree(root: Path) -> None:
    """Files, links, pipes, owners, times, holes, attributes, and names that break what splits at lines."""
    (root / "plain").write_bytes(b"content")
    (root / "empty").touch()
    (root / "empty folder").mkdir(mode=0o1751)
    for name in HARD_NAMES:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    deep = root.joinpath(*["folder-" + "d" * 60] * 8)
    deep.mkdir(parents=True)
    (deep / ("f" * 200)).write_bytes(b"long name")
    os.link(root / "plain", deep / "hard link")
    (root / "link").symlink_to("plain")
    (root / "dangling").symlink_to("/nowhere/" + "x" * 150)
    (root / "link to a folder").symlink_to("empty folder")
    os.mkfifo(root / "pipe")
    _make_special(root)
    os.utime(root / "plain", ns=(1, 1_234_567_890_123_456_789))
    os.utime(root / "empty folder", ns=(1, 999_999_999_000_000_001))


def _make_special(root: Path) -> None:
    with (root / "sparse").open("wb") as sparse:
        sparse.seek(8 << 20)
        sparse.write(b"middle")
        sparse.truncate(32 << 20)
    with (root / "all hole").open("wb") as hole:
        hole.truncate(1 << 20)
    (root / "owned").write_bytes(b"x")
    if os.geteuid() == 0:
        os.chown(root / "owned", 12345, 54321)
    (root / "owned").chmod(0o4755)
    os.setxattr(root / "owned", "user.colour", b"blue\0green")
    os.setxattr(root / "plain", "system.posix_acl_access", _ACL)
    os.setxattr(root / "empty folder", "system.posix_acl_default", _ACL)
    if os.geteuid() == 0:
        os.setxattr(root / "plain", "trusted.overlay.x", b"y")
        os.setxattr(root / "dangling", "trusted.of.a.link", b"z", follow_symlinks=False)


def make_socket(path: Path) -> None:
    """One that nobody listens to."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def describe_tree(root: Path) -> dict[str, tuple[object, ...]]:
    """All that two equal trees agree in, by relative name; hard links by the first name of their file."""
    first: dict[int, str] = {}
    paths = [root, *sorted(root.rglob("*"))]
    return {str(path.relative_to(root)): _describe(path, root, first) for path in paths}


def _describe(path: Path, root: Path, first: dict[int, str]) -> tuple[object, ...]:
    facts = path.lstat()
    names = os.listxattr(path, follow_symlinks=False)
    general = (
        facts.st_mode,
        facts.st_uid,
        facts.st_gid,
        facts.st_mtime_ns,
        {name: os.getxattr(path, name, follow_symlinks=False) for name in names},
    )
    if stat.S_ISLNK(facts.st_mode):
        return (*general, str(path.readlink()))
    if not stat.S_ISREG(facts.st_mode):
        return general
    own = first.setdefault(facts.st_ino, str(path.relative_to(root)))
    return (*general, facts.st_size, facts.st_blocks * 512 < facts.st_size, own, path.read_bytes())


def extract(archive: Path, target: Path) -> None:
    """With stock tar, as a person would."""
    target.mkdir()
    command = ["tar", "--extract", "--file", archive, "--directory", target, "--preserve-permissions"]
    options = ["--same-owner", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"]
    subprocess.run(
        [*command, *options], check=True, capture_output=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}
    )
