"""A look at what was extracted, before anybody else can: counted, compared, and rights taken off that were not asked for."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from strongroom.sources.files.unpacking.contents import added
from strongroom.sources.files.unpacking.membernames import refused, told

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_SET_ID = 0o6000
_DEVICES = frozenset([stat.S_IFBLK, stat.S_IFCHR])


@dataclass
class Survey:
    """What lies in a tree. `size_bytes`: of its files, of one with several names once; `content_sum`: see Contents."""

    members: int = 0
    folders: int = 0
    size_bytes: int = 0
    content_sum: int | None = None
    seen: set[int] = field(default_factory=set)
    """Numbers of the files that were met by one of several names."""


def survey_tree(root: bytes, *, special: bool, contents: bool, skipped: frozenset[bytes]) -> Survey:
    """Walk the tree, or look at the single file, and take set-id bits off unless `special`.

    ArchiveRefused for a device then. Nobody else may write there. `skipped`: names of files whose contents are not compared.
    """
    found = Survey(content_sum=0 if contents else None)
    descriptor = os.open(root, _FOLDER)
    try:
        holed = {os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_ino for name in skipped}
        for name, facts in _walk(descriptor):
            found.members += 1
            found.folders += stat.S_ISDIR(facts.st_mode)
            kind = stat.S_IFMT(facts.st_mode)
            if kind in _DEVICES and not special:
                raise refused(f"{told(name)} has become a device")
            if kind == stat.S_IFREG:
                _take_file(found, descriptor, name, facts, holed)
                if facts.st_mode & _SET_ID and not special:
                    os.chmod(name, stat.S_IMODE(facts.st_mode) & ~_SET_ID, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    return found


def _take_file(found: Survey, root: int, name: bytes, facts: os.stat_result, holed: set[int]) -> None:
    if facts.st_nlink > 1:
        if facts.st_ino in found.seen:
            return
        found.seen.add(facts.st_ino)
    found.size_bytes += facts.st_size
    if found.content_sum is not None and facts.st_size and facts.st_ino not in holed:
        found.content_sum = added(found.content_sum, _digest(root, name).digest)


def _digest(root: int, name: bytes) -> "hashlib._Hash":
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=root), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256")


def _walk(root: int) -> Iterator[tuple[bytes, os.stat_result]]:
    """All names below, relative to the root, in no order; the root itself is `.`."""
    yield b".", os.fstat(root)
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(root, folder):
            name = folder + b"/" + entry if folder else entry
            facts = os.stat(name, dir_fd=root, follow_symlinks=False)
            yield name, facts
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(name)


def _entries(root: int, folder: bytes) -> list[bytes]:
    descriptor = os.open(folder or b".", _FOLDER, dir_fd=root)
    try:
        return [os.fsencode(name) for name in os.listdir(descriptor)]  # noqa: PTH208 - a descriptor
    finally:
        os.close(descriptor)
