"""What a backup never held stays: it is given a second name in the new tree, before that takes the old one's place."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from strongroom.sources.files.naming import OWN_PREFIX
from strongroom.sources.files.selection import Selection


@dataclass(frozen=True)
class Carrier:
    """Carries over what `selection`, the source's patterns, does not take."""

    selection: Selection

    def carry(self, old: bytes, new: bytes) -> None:
        """Link it from the old tree into the new one, with the folders above it. Idempotent. The old tree is not changed.

        No step of any way is a link. Where the backup has something else than a folder, nothing can be below it.
        """
        with ExitStack() as held:
            try:
                roots = [held.enter_context(_opened(root)) for root in (old, new)]
            except NotADirectoryError:
                return
            for name, is_folder in _walk(roots[0]):
                if not self._takes(name, is_folder=is_folder):
                    with suppress(NotADirectoryError, FileExistsError):
                        _carry_one(roots[0], roots[1], name, is_folder=is_folder)

    def _takes(self, name: bytes, *, is_folder: bool) -> bool:
        """Whether the backup has it; or had it not, because it was not there. A folder counts for what is in it."""
        above = name + b"/" if is_folder else name
        while above := os.path.dirname(above):  # noqa: PTH120
            if not self.selection.enters(above):
                return False
        return is_folder or self.selection.takes(name)


def _carry_one(old: int, new: int, name: bytes, *, is_folder: bool) -> None:
    folder, last = (name, b"") if is_folder else os.path.split(name)
    with ExitStack() as held:
        for step in filter(None, folder.split(b"/")):
            old, below = held.enter_context(_opened(step, old)), new
            new = held.enter_context(_made(step, below, old))
        if last:
            os.link(last, last, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)


@contextmanager
def _opened(name: bytes, above: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _made(name: bytes, above: int, like: int) -> Iterator[int]:
    """The folder of that name, made like another one where there is none."""
    try:
        os.mkdir(name, 0o700, dir_fd=above)
    except FileExistsError:
        is_new = False
    else:
        is_new = True
    with _opened(name, above) as descriptor:
        if is_new:
            facts = os.fstat(like)
            if os.geteuid() == 0:
                os.fchown(descriptor, facts.st_uid, facts.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(facts.st_mode))
        yield descriptor


def _walk(root: int) -> Iterator[tuple[bytes, bool]]:
    """All names below, relative to the root, and whether each is a folder; but for what restores have made there."""
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        with ExitStack() as held:
            here = root
            for step in filter(None, folder.split(b"/")):
                here = held.enter_context(_opened(step, here))
            entries = [(os.fsencode(e.name), e.is_dir(follow_symlinks=False)) for e in os.scandir(here)]
        for entry, is_folder in entries:
            if not folder and entry.startswith(OWN_PREFIX):
                continue
            name = folder + b"/" + entry if folder else entry
            yield name, is_folder
            if is_folder:
                waiting.append(name)
