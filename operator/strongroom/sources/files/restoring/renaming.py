"""Renaming as restores need it: never over something, or both ways in one step; and where file systems begin."""

import ctypes
import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError

_libc = ctypes.CDLL(None, use_errno=True)
_HERE = -100
_NO_REPLACE, _EXCHANGE = 1, 2
_REASONS = {
    errno.ENOSPC: Reason.NotEnoughSpace,
    errno.EDQUOT: Reason.NotEnoughSpace,
    errno.EACCES: Reason.PermissionDenied,
    errno.EPERM: Reason.PermissionDenied,
    errno.EROFS: Reason.PermissionDenied,
}
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def move(old: bytes, new: bytes) -> None:
    """Rename; FileExistsError where there is something of the new name."""
    _rename(old, new, _NO_REPLACE)


def exchange(one: bytes, other: bytes) -> None:
    """Give each the other's name, in one step."""
    _rename(one, other, _EXCHANGE)


def _rename(old: bytes, new: bytes, flags: int) -> None:
    if _libc.renameat2(_HERE, old, _HERE, new, flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(old), None, os.fsdecode(new))


def sync_folder(path: bytes) -> None:
    """Return when the names in that folder are on its disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exists(path: bytes) -> bool:
    """Whether there is anything of that name, a link that leads nowhere included."""
    return os.path.lexists(path)


def inode(path: bytes) -> tuple[int, int] | None:
    """What tells one file or folder from all others of this machine; None where there is none."""
    try:
        facts = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return facts.st_dev, facts.st_ino


def is_inode(path: bytes, device: int, number: int, beside: bytes) -> bool:
    """Whether that is there which had this number on this device; `beside` is something on the same file system.

    Many file systems have another device number after each start of the machine; the number of an inode stays.
    """
    found, near = inode(path), inode(beside)
    devices = {device} if near is None else {device, near[0]}
    return found is not None and found[0] in devices and found[1] == number


def mount_points() -> frozenset[bytes]:
    """Where something is mounted, as this process sees it."""
    lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    return frozenset(_ESCAPED.sub(lambda m: bytes([int(m[1], 8)]), line.split()[4]) for line in lines)


@contextmanager
def pinned(folder: bytes) -> Iterator[bytes]:
    """A path to that very folder, whatever is put in its place meanwhile: volumes belong to containers, whose root may be hostile.

    OSError where the last part of the name is a symbolic link, or no folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # The dot: what is told of the path is told of the folder, and not of the link in /proc.
        yield b"/proc/self/fd/%d/." % descriptor
    finally:
        os.close(descriptor)


@contextmanager
def times_kept(folder: bytes) -> Iterator[None]:
    """Private folders come and go inside: that does not make it another."""
    before = os.lstat(folder) if exists(folder) else None
    try:
        yield
    finally:
        if before is not None:
            with suppress(OSError):
                os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextmanager
def failing(what: str) -> Iterator[None]:
    """What the system refuses, with the object in the text: NotEnoughSpace, PermissionDenied, RestoreFailed."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, Reason.RestoreFailed)
        name = os.fsdecode(error.filename) if error.filename else ""
        raise StrongroomError(reason, f"{what}: {name}: {error.strerror or error}") from error
