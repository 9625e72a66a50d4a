"""An archive taken in: guard, tar, survey; a tree that is whole and durable, or nothing."""

import ctypes
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import CheckResult
from strongroom.sources.files.archiving import find_tar
from strongroom.sources.files.removing import remove_tree
from strongroom.sources.files.unpacking.contents import Contents
from strongroom.sources.files.unpacking.extracting import TREE, Extraction, Rights
from strongroom.sources.files.unpacking.guarding import Guard, Guarded, Limits
from strongroom.sources.files.unpacking.surveying import Survey, survey_tree
from strongroom.sources.notes import Notes
from strongroom.sources.reading import Chunk

_libc = ctypes.CDLL(None, use_errno=True)
_NAMED = 3


@dataclass(frozen=True)
class Wanted:
    """What is taken in. `what`: object and artifact, in errors; `digests`: whether every file's content is compared."""

    what: str
    members: int
    size_bytes: int
    special: bool
    is_tree: bool
    digests: bool


class Unpacking:
    """Makes `folder/tree` of a stream. See Intake; `folder` is made, private, and removed again unless it is kept."""

    def __init__(self, folder: bytes, wanted: Wanted) -> None:
        """Start. `folder`: an absolute path without links, of which nothing is there yet."""
        self.checks: Sequence[CheckResult] = ()
        self.file: bytes | None = None
        """Name of the single file that was archived, if it is no folder."""
        self._folder = folder
        self._wanted = wanted
        self._rights = Rights(os.geteuid() == 0, wanted.special, wanted.is_tree)
        self._contents = Contents(wanted=wanted.digests)
        limits = Limits(wanted.members, wanted.size_bytes, wanted.special, wanted.is_tree)
        self._guard = Guard(limits, self._contents)
        self._is_kept = False
        tar = find_tar()
        with ExitStack() as undo:
            os.mkdir(folder, 0o700)  # noqa: PTH102 - names are bytes here
            undo.callback(remove_tree, folder)
            self._extraction = Extraction(tar, folder, self._rights)
            undo.pop_all()

    def write(self, chunk: Chunk) -> None:
        """See Intake. Nothing reaches tar that the guard has not seen."""
        self._guard.write(chunk)
        self._extraction.write(chunk)

    def finish(self) -> None:
        """See Intake."""
        guarded = self._guard.finish()
        self._extraction.finish()
        found = survey_tree(
            self._folder + b"/" + TREE,
            special=self._wanted.special,
            contents=self._wanted.digests,
            skipped=frozenset(self._contents.skipped),
        )
        self.checks = [*_compare(self._wanted, guarded, found), *self._remarks(guarded)]
        if failed := next((check for check in self.checks if not check.passed), None):
            words = f"{failed.name}: {failed.found} instead of {failed.expected}"
            raise StrongroomError(Reason.RestoreFailed, words)
        self.file = self._single_file(guarded)
        sync_file_system(self._folder)

    def keep(self) -> None:
        """Whoever has the tree now looks after it: leaving the context removes nothing."""
        self._is_kept = True

    def _single_file(self, guarded: Guarded) -> bytes | None:
        """The name of the one file of an archive that is no folder's."""
        if guarded.has_root or not self._wanted.is_tree:
            return None
        (name,) = os.listdir(self._folder + b"/" + TREE)  # noqa: PTH208 - names are bytes here
        return name

    def _remarks(self, guarded: Guarded) -> list[CheckResult]:
        """What was not given back, on purpose or for want of rights."""
        remarks = {
            "owners": "not given back: the worker is not root" if not self._rights.owners else "",
            "rights of programs": _noted("taken off", guarded.rights) if not self._wanted.special else "",
            "attributes": _noted("not given back", self._extraction.remarks.lost),
        }
        return [
            CheckResult(name=f"{self._wanted.what}: {name}"[:253], passed=True, found=found[:256])
            for name, found in remarks.items()
            if found
        ]

    def __enter__(self) -> Self:
        """See Intake."""
        return self

    def __exit__(self, *_: object) -> None:
        """See Intake."""
        self._extraction.end()
        if not self._is_kept:
            remove_tree(self._folder)


def sync_file_system(path: bytes) -> None:
    """Return when all that was written to the file system of that path is on its disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise StrongroomError(Reason.RestoreFailed, f"{Path(os.fsdecode(path))}: {os.strerror(number)}")
    finally:
        os.close(descriptor)


def _compare(wanted: Wanted, guarded: Guarded, found: Survey) -> list[CheckResult]:
    files = guarded.members - guarded.folders
    checks = [
        _check(f"{wanted.what}: files and links", files, found.members - found.folders),
        _check(f"{wanted.what}: bytes of files", guarded.size_bytes, found.size_bytes),
    ]
    if wanted.is_tree:
        # Without being a member, the root was made on the way.
        folders = found.folders - (not guarded.has_root)
        checks.append(_check(f"{wanted.what}: folders", guarded.folders, folders))
    if guarded.content_sum is not None:
        sums = (f"{guarded.content_sum:064x}", f"{found.content_sum or 0:064x}")
        checks.append(_check(f"{wanted.what}: sum of all contents' digests", *sums))
    return checks


def _check(name: str, expected: object, found: object) -> CheckResult:
    return CheckResult(name=name[:253], passed=expected == found, expected=str(expected), found=str(found))


def _noted(words: str, notes: Notes) -> str:
    return f"{words}: {notes.count}: {', '.join(notes.first[:_NAMED])}" if notes.count else ""
