"""What a backup never held stays: it is given a second name in the new tree, before that takes the old one's place."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.sources.files.naming import OWN_PREFIX
from strongroom.sources.files.selection import Selection


@dataclass(frozen=True)
class Carrier:
    """Carries over what `selection`, the source's patterns, does not take."""

    selection: Selection

    def carry(self, old: bytes, new: bytes) -> None:
        """Link it from the old tree into the new one, with the folders above it. Idempotent. The old tree is not changed."""
        if not os.path.isdir(old) or not os.path.isdir(new):  # noqa: PTH112 - names are bytes here
            return
        for name, is_folder in _walk(old):
            if self._takes(name, is_folder=is_folder):
                continue
            if is_folder:
                self._make_folders(old, new, name)
            else:
                self._make_folders(old, new, os.path.dirname(name))  # noqa: PTH120
                _link(old + b"/" + name, new + b"/" + name)

    def _takes(self, name: bytes, *, is_folder: bool) -> bool:
        """Whether the backup has it; or had it not, because it was not there. A folder counts for what is in it."""
        above = name + b"/" if is_folder else name
        while above := os.path.dirname(above):  # noqa: PTH120
            if not self.selection.enters(above):
                return False
        return is_folder or self.selection.takes(name)

    def _make_folders(self, old: bytes, new: bytes, name: bytes) -> None:
        if not name or os.path.lexists(new + b"/" + name):
            return
        self._make_folders(old, new, os.path.dirname(name))  # noqa: PTH120
        os.mkdir(new + b"/" + name, 0o700)  # noqa: PTH102
        facts = os.lstat(old + b"/" + name)
        if os.geteuid() == 0:
            os.chown(new + b"/" + name, facts.st_uid, facts.st_gid)
        os.chmod(new + b"/" + name, stat.S_IMODE(facts.st_mode))  # noqa: PTH101


def _link(old: bytes, new: bytes) -> None:
    """What the backup has under that name, or a folder that is none in it, stands."""
    try:
        os.link(old, new, follow_symlinks=False)
    except (FileExistsError, NotADirectoryError):
        return


def _walk(root: bytes) -> Iterator[tuple[bytes, bool]]:
    """All names below, relative to the root, and whether each is a folder; but for what restores have made there."""
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(root + b"/" + folder if folder else root) as entries:
            for entry in entries:
                if not folder and entry.name.startswith(OWN_PREFIX):
                    continue
                name = folder + b"/" + entry.name if folder else entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                yield name, is_folder
                if is_folder:
                    waiting.append(name)
