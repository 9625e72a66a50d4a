"""How two versions of a file differ, told by counts alone: configuration holds secrets."""

import difflib
import os
import stat

from strongroom.sources.notes import printable

_LARGEST_BYTES = 1 << 20


def is_same(old: bytes, new: bytes) -> bool:
    """Whether both are there, of the same kind, content, owner and mode."""
    try:
        one, other = os.lstat(old), os.lstat(new)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if (one.st_mode, one.st_uid, one.st_gid) != (other.st_mode, other.st_uid, other.st_gid):
        return False
    if stat.S_ISLNK(one.st_mode):
        return os.readlink(old) == os.readlink(new)  # noqa: PTH115 - names are bytes here
    return stat.S_ISREG(one.st_mode) and one.st_size == other.st_size and _content(old) == _content(new)


def describe_difference(name: bytes, old: bytes, new: bytes) -> str:
    """`/etc/app.conf: changed, 3 lines added, 1 taken away`; the old one may be missing."""
    told = printable(name)
    after = _lines(new)
    if not os.path.lexists(old):
        return f"{told}: added" + (f", {len(after)} lines" if after is not None else "")
    before = _lines(old)
    if before is None or after is None:
        return f"{told}: changed, of {_size(old)} and now {_size(new)} bytes"
    if before == after:
        return f"{told}: owner or mode changed"
    changes = [line[:1] for line in difflib.ndiff(before, after)] if len(before) + len(after) < 5000 else None
    if changes is None:
        return f"{told}: changed, of {len(before)} and now {len(after)} lines"
    return f"{told}: changed, {changes.count('+')} lines added, {changes.count('-')} taken away"


def _lines(path: bytes) -> list[str] | None:
    """None for what is no text, or too large."""
    try:
        facts = os.lstat(path)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST_BYTES:
            return None
        return _content(path).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return None


def _content(path: bytes) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return file.read()


def _size(path: bytes) -> int:
    return os.lstat(path).st_size
