"""Trees removed without following a link, crossing into another file system, or minding how deep they are."""

import contextlib
import itertools
import os
import stat
from collections.abc import Iterator

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove_tree(path: bytes) -> None:
    """Remove what lies there, a tree or anything else; what is gone is removed. OSError where it cannot be.

    Every folder is first renamed to the top of the tree, so that no path is long; a mount point cannot be renamed, so that
    what is mounted inside is never entered. Cut short, it goes on when it is called again.
    """
    try:
        top = os.open(path, _FOLDER)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(path)  # noqa: PTH108 - names are bytes here
        return
    try:
        _empty(top)
    finally:
        os.close(top)
    os.rmdir(path)  # noqa: PTH106


def empty_folder(path: bytes) -> None:
    """Remove all that is in it, by the same rules."""
    top = os.open(path, _FOLDER)
    try:
        _empty(top)
    finally:
        os.close(top)


def _empty(top: int) -> None:
    _permit(top)
    names = _free_names(top)
    while entries := os.listdir(top):
        for entry in map(os.fsencode, entries):
            _take_apart(top, top, entry, names)


def _take_apart(top: int, folder: int, entry: bytes, names: Iterator[bytes]) -> None:
    """Remove an entry of a folder; of one that is itself a folder, bring what is in it to the top."""
    if not stat.S_ISDIR(os.stat(entry, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(entry, dir_fd=folder)
        return
    name = next(names)
    os.rename(entry, name, src_dir_fd=folder, dst_dir_fd=top)
    if folder != top:
        return
    below = os.open(name, _FOLDER, dir_fd=top)
    try:
        _permit(below)
        for each in map(os.fsencode, os.listdir(below)):  # noqa: PTH208 - a descriptor
            _take_apart(top, below, each, names)
    finally:
        os.close(below)
    os.rmdir(name, dir_fd=top)


def _permit(folder: int) -> None:
    """Its owner may have taken the right to write from himself."""
    with contextlib.suppress(PermissionError):
        os.fchmod(folder, 0o700)


def _free_names(top: int) -> Iterator[bytes]:
    taken = set(map(os.fsencode, os.listdir(top)))
    return (name for number in itertools.count() if (name := b"%d" % number) not in taken)
