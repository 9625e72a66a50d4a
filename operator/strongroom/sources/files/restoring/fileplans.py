"""Single files on their way back into one folder: what is exchanged, and what of it already is."""

import os
import stat
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import Field

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import StrictFields
from strongroom.sources.files.restoring.differing import describe_difference
from strongroom.sources.files.restoring.renaming import exchange, exists, is_inode, move, sync_folder
from strongroom.sources.files.restoring.works import Work


class Entry(StrictFields):
    """One file that differs from what is in its place."""

    path: str = Field(description="Below the top, percent-encoded; empty for the top itself.")
    device: int = Field(description="st_dev of the new.")
    inode: int = Field(description="st_ino of the new.")
    folders: int = Field(default=0, description="Folders above it that the restore has to make.")


class FilePlan(StrictFields):
    """All of one top."""

    entries: Annotated[list[Entry], Field(max_length=100_000)] = Field(
        default_factory=list, description="In the order in which they go in."
    )


@dataclass(frozen=True)
class Top:
    """A file or folder of the host that files go back to, or below. `path`: its name there; `place`: where that is for us."""

    path: bytes
    place: bytes
    work: Work

    def place_of(self, entry: Entry) -> bytes:
        """Where it goes."""
        rest = unquote_to_bytes(entry.path)
        return self.place + b"/" + rest if rest else self.place

    def new_of(self, number: int) -> bytes:
        """Where the new is before, and the old afterwards."""
        return self.work.tree + b"/%d" % number

    def is_in(self, entry: Entry) -> bool:
        """Whether the new is in its place."""
        return is_inode(self.place_of(entry), entry.device, entry.inode, self.work.folder)

    def put_in(self, number: int, entry: Entry) -> None:
        """Idempotent."""
        place, new = self.place_of(entry), self.new_of(number)
        if self.is_in(entry):
            return
        if exists(place):
            exchange(new, place)
        else:
            os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)  # noqa: PTH103, PTH120 - names are bytes here
            move(new, place)
        sync_folder(os.path.dirname(place))  # noqa: PTH120

    def take_out(self, number: int, entry: Entry) -> None:
        """Idempotent."""
        place, new = self.place_of(entry), self.new_of(number)
        if not self.is_in(entry):
            return
        if exists(new):
            exchange(new, place)
        else:
            move(place, new)
            self._remove_folders(entry)
        sync_folder(self.work.tree)

    def describe(self, number: int, entry: Entry) -> str:
        """For people: name and counts, never contents."""
        place, new = self.place_of(entry), self.new_of(number)
        pair = (new, place) if self.is_in(entry) else (place, new)
        rest = unquote_to_bytes(entry.path)
        name = self.path + b"/" + rest if rest else self.path
        return describe_difference(name, *pair)

    def add(self, number: int, rest: bytes, source: bytes) -> Entry:
        """Bring a file that was unpacked elsewhere beside its place, with all that belongs to it."""
        new = self.new_of(number)
        copy_file(source, new)
        facts = os.lstat(new)
        place = self.place + b"/" + rest if rest else self.place
        lacking, above = 0, os.path.dirname(place)  # noqa: PTH120
        while not exists(above):
            lacking, above = lacking + 1, os.path.dirname(above)  # noqa: PTH120
        return Entry(path=quote_from_bytes(rest), device=facts.st_dev, inode=facts.st_ino, folders=lacking)

    def refuse_links(self, rest: bytes, what: str) -> None:
        """Raise where a folder on the way below the top is a symbolic link, or no folder."""
        place = self.place
        for step in rest.split(b"/")[:-1]:
            place += b"/" + step
            if exists(place) and not stat.S_ISDIR(os.lstat(place).st_mode):
                words = (
                    f"{what}: {os.fsdecode(place)} is a symbolic link or a file, and files would go below it"
                )
                raise StrongroomError(Reason.RestoreFailed, words)

    def _remove_folders(self, entry: Entry) -> None:
        above = os.path.dirname(self.place_of(entry))  # noqa: PTH120
        for _ in range(entry.folders):
            try:
                os.rmdir(above)  # noqa: PTH106
            except OSError:
                return
            above = os.path.dirname(above)  # noqa: PTH120


def copy_file(source: bytes, target: bytes) -> None:
    """A file or symbolic link with owner, mode, times and attributes, as far as rights go; durable but for its name."""
    facts = os.lstat(source)
    if stat.S_ISLNK(facts.st_mode):
        os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211
        if os.geteuid() == 0:
            os.lchown(target, facts.st_uid, facts.st_gid)
        os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns), follow_symlinks=False)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(target, flags, 0o600), "wb", buffering=0) as new, open(source, "rb") as old:  # noqa: PTH123
        while chunk := old.read(1 << 20):
            new.write(chunk)
        if os.geteuid() == 0:
            os.fchown(new.fileno(), facts.st_uid, facts.st_gid)
        os.fchmod(new.fileno(), stat.S_IMODE(facts.st_mode))
        for name in os.listxattr(source):
            try:
                os.setxattr(new.fileno(), name, os.getxattr(source, name))
            except PermissionError:
                continue
        os.utime(new.fileno(), ns=(facts.st_atime_ns, facts.st_mtime_ns))
        os.fsync(new.fileno())
