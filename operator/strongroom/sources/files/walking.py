"""Which members an archive is to have: a walk over trees that keeps nothing but names of subfolders in memory."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.naming import KEPT_PREFIX
from strongroom.sources.files.selection import Selection
from strongroom.sources.notes import Notes, printable

_KINDS = {stat.S_IFSOCK: "socket", stat.S_IFBLK: "block device", stat.S_IFCHR: "character device"}
"""What is not archived. Pipes are: they are nothing but a name."""


@dataclass(frozen=True)
class Tree:
    """A folder or file. `path`: where it lies; `given`: its name as tar is told; `stored`: its name in the archive."""

    path: bytes
    given: bytes
    stored: bytes


@dataclass
class _Folder:
    tree: Tree
    parent: "_Folder | None" = None
    is_taken: bool = False

    def entry(self, name: bytes) -> Tree:
        return Tree(
            self.tree.path + b"/" + name, self.tree.given + b"/" + name, self.tree.stored + b"/" + name
        )


@dataclass(frozen=True)
class _Waiting:
    """Subfolders whose turn comes: their names alone, for there may be very many. The last is the next."""

    folder: _Folder
    names: list[bytes]


def _take_next(waiting: list[_Waiting]) -> _Folder | None:
    while waiting and not waiting[-1].names:
        waiting.pop()
    if not waiting:
        return None
    parent = waiting[-1].folder
    return _Folder(parent.entry(waiting[-1].names.pop()), parent)


@dataclass
class Walk:
    """Yields, for each member, the name that tar is told; counts what it has yielded.

    A folder comes before what is in it, and files before subfolders. `names` is the sum of the hashes of the members'
    names in the archive, by which two sets of names are compared without keeping them; of one process only.
    ReadFailed when a folder cannot be read; one that vanishes meanwhile is noted.
    """

    source: str
    trees: Sequence[Tree]
    selection: Selection
    members: int = 0
    files: int = 0
    names: int = 0
    skipped: Notes = field(default_factory=Notes)
    vanished: Notes = field(default_factory=Notes)
    is_ended: bool = False
    """Set by whoever wants no more names."""

    def __iter__(self) -> Iterator[bytes]:
        """Walk once."""
        for tree in self.trees:
            if stat.S_ISDIR(self._mode(tree)):
                yield from self._walk(_Folder(tree))
            elif not self._skips(tree):
                yield self._take(tree, is_file=True)

    def _mode(self, tree: Tree) -> int:
        try:
            return os.lstat(tree.path).st_mode
        except FileNotFoundError as error:
            words = f"source {self.source}: {printable(tree.path)} does not exist"
            raise StrongroomError(Reason.SourceMissing, words) from error
        except OSError as error:
            raise self._failure(tree, error) from error

    def _walk(self, root: _Folder) -> Iterator[bytes]:
        waiting: list[_Waiting] = []
        folder: _Folder | None = root
        while folder is not None and not self.is_ended:
            subfolders: list[bytes] = []
            yield from self._read(folder, subfolders)
            waiting.append(_Waiting(folder, subfolders[::-1]))
            folder = _take_next(waiting)

    def _read(self, folder: _Folder, subfolders: list[bytes]) -> Iterator[bytes]:
        try:
            with os.scandir(folder.tree.path) as entries:
                yield from self._enter(folder)
                yield from self._look(folder, entries, subfolders)
        except (FileNotFoundError, NotADirectoryError) as error:
            if folder.parent is None:
                raise self._failure(folder.tree, error) from error
            self.vanished.add(f"{printable(folder.tree.stored)}: vanished before it was read")
        except OSError as error:
            raise self._failure(folder.tree, error) from error

    def _look(
        self, folder: _Folder, entries: Iterator[os.DirEntry[bytes]], subfolders: list[bytes]
    ) -> Iterator[bytes]:
        everything = self.selection.takes_all
        for entry in entries:
            member = folder.entry(entry.name)
            if entry.is_dir(follow_symlinks=False):
                if entry.name.startswith(KEPT_PREFIX):
                    self.skipped.add(f"{printable(member.stored)}: kept by a restore")
                elif everything or self.selection.enters(_relative(member)):
                    subfolders.append(entry.name)
                continue
            is_usual = entry.is_file(follow_symlinks=False) or entry.is_symlink()
            if (everything or self.selection.takes(_relative(member))) and (
                is_usual or not self._skips(member)
            ):
                yield from self._lead(folder)
                yield self._take(member, is_file=True)

    def _enter(self, folder: _Folder) -> Iterator[bytes]:
        """Take the folder itself, unless only what is in it may be wanted."""
        is_root = folder.parent is None
        if (
            is_root
            or self.selection.takes_all
            or self.selection.takes(_relative(folder.tree), is_folder=True)
        ):
            yield from self._lead(folder)

    def _lead(self, folder: _Folder) -> Iterator[bytes]:
        """The folders down to here that were not taken yet: their owners and modes belong to what is in them."""
        if not folder.is_taken:
            if folder.parent is not None:
                yield from self._lead(folder.parent)
            folder.is_taken = True
            yield self._take(folder.tree, is_file=False)

    def _take(self, member: Tree, *, is_file: bool) -> bytes:
        self.members += 1
        self.files += is_file
        self.names += hash(member.stored)
        return member.given

    def _skips(self, member: Tree) -> bool:
        """Whether it is a socket or device; one that vanished is left to tar to tell."""
        try:
            kind = _KINDS.get(stat.S_IFMT(os.lstat(member.path).st_mode))
        except FileNotFoundError:
            return False
        if kind is not None:
            self.skipped.add(f"{printable(member.stored)}: {kind}")
        return kind is not None

    def _failure(self, tree: Tree, error: OSError) -> StrongroomError:
        words = f"source {self.source}: {printable(tree.path)}: {error.strerror or error}"
        return StrongroomError(Reason.ReadFailed, words)


def _relative(member: Tree) -> bytes:
    return member.stored.removeprefix(b"./")


def stored_name(trees: Sequence[Tree], given: bytes) -> bytes:
    """The name in the archive of what tar was given under that name."""
    for tree in trees:
        if given == tree.given or given.startswith(tree.given + b"/"):
            return tree.stored + given[len(tree.given) :]
    return given
