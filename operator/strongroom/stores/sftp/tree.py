"""The folders below a store's root: found, made and removed by paths that no symbolic link is followed on."""

import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.keys import LOST_AND_FOUND
from strongroom.stores.sftp import wire
from strongroom.stores.sftp.failures import explain_status, is_missing
from strongroom.stores.sftp.session import Session, StatusError

_AT_ONCE = 32
"""Folders that are read together, so that a listing does not wait for each one's way there and back."""
_RACES = 8


class Tree:
    """Asks over a session that the caller has."""

    def __init__(self, root: str) -> None:
        """An absolute path; it may itself be a symbolic link: that is the administrator's word."""
        self.root = root.rstrip("/")

    def path(self, key: str) -> str:
        """Where a key is on the server."""
        return f"{self.root}/{key}" if key else self.root

    def fail(self, session: Session, error: StatusError, what: str) -> StrongroomError:
        """The reason for a refusal."""
        return explain_status(error, what, session, self.root)

    def check_root(self, session: Session) -> None:
        """StoreMissing or StoreNotDirectory where the store's own folder is not what it must be."""
        try:
            mode = session.ask(wire.STAT, wire.text(self.root)).attributes().mode
        except StatusError as error:
            if is_missing(error):
                words = f"sftp.path {self.root} does not exist (it is never made: is its disk mounted?)"
                raise StrongroomError(Reason.StoreMissing, words) from error
            raise self.fail(session, error, "it cannot be looked at") from error
        if not stat.S_ISDIR(mode):
            raise StrongroomError(Reason.StoreNotDirectory, f"sftp.path {self.root} is not a folder")

    def find(self, session: Session, key: str) -> wire.Attributes | None:
        """What is there under that name, a link itself where it is one; None where nothing is."""
        self._check_parents(session, key)
        try:
            return session.ask(wire.LSTAT, wire.text(self.path(key))).attributes()
        except StatusError as error:
            if is_missing(error):
                return None
            raise self.fail(session, error, f"{key} cannot be looked at") from error

    def make_parents(self, session: Session, key: str) -> None:
        """See that the folder of a key is there."""
        folders = parents(key)
        for _ in range(_RACES):
            missing = self._check_parents(session, key)
            if not missing:
                return
            self.check_root(session)
            for folder in folders[-missing:]:
                self._make(session, folder)
        raise StrongroomError(Reason.StoreFailed, f"sftp.path {self.root}: {folders[-1]} comes and goes")

    def remove_empty(self, session: Session, folder: str) -> None:
        """Remove a folder and those above it as far as they are empty; the root stays."""
        while folder:
            try:
                session.ask(wire.RMDIR, wire.text(self.path(folder)))
            except StatusError:  # not empty, or already gone: both are fine, an empty folder harms nobody
                return
            folder = folder.rpartition("/")[0]

    def walk(self, session: Session, prefix: str) -> Iterator[tuple[str, wire.Attributes]]:
        """Everything whose path below the root begins so, and the folders on the way; those above come first."""
        waiting = [prefix.rpartition("/")[0]]
        if self._check_parents(session, prefix):
            self.check_root(session)
            return
        while waiting:
            found: list[str] = []
            for start in range(0, len(waiting), _AT_ONCE):
                for path, entry in self._read(session, waiting[start : start + _AT_ONCE]):
                    if path == LOST_AND_FOUND or not (
                        path.startswith(prefix) or prefix.startswith(f"{path}/")
                    ):
                        continue
                    yield path, entry
                    if stat.S_ISDIR(entry.mode):
                        found.append(path)
            waiting = found

    def _check_parents(self, session: Session, key: str) -> int:
        """How many of the key's folders are not there yet. StoreFailed for one that is a link, or no folder."""
        folders = parents(key)
        answers = session.ask_all((wire.LSTAT, wire.text(self.path(folder))) for folder in folders)
        for place, (folder, answer) in enumerate(zip(folders, answers, strict=True)):
            if isinstance(answer, StatusError):
                if is_missing(answer):
                    return len(folders) - place
                raise self.fail(session, answer, f"{folder} cannot be looked at") from answer
            mode = answer.attributes().mode
            if not stat.S_ISDIR(mode):
                what = "a symbolic link, which is not followed" if stat.S_ISLNK(mode) else "no folder"
                raise StrongroomError(Reason.StoreFailed, f"sftp.path {self.root}: {folder} is {what}")
        return 0

    def _make(self, session: Session, folder: str) -> None:
        try:
            session.ask(wire.MKDIR, wire.text(self.path(folder)), wire.permissions(0o700))
        except StatusError as error:
            there = self.find(session, folder)  # made by another in the meantime, or its parent removed
            if there is None and not is_missing(error):
                raise self.fail(session, error, f"folder {folder} cannot be made") from error

    def _read(self, session: Session, folders: Sequence[str]) -> Iterator[tuple[str, wire.Attributes]]:
        handles: dict[str, bytes] = {}
        opened = session.ask_all((wire.OPENDIR, wire.text(self.path(folder))) for folder in folders)
        try:
            for folder, answer in zip(folders, opened, strict=True):
                if not isinstance(answer, StatusError):
                    handles[folder] = wire.text(bytes(answer.data()))
                elif not folder or not is_missing(answer):  # one that was deleted meanwhile is empty
                    self.check_root(session)
                    raise self.fail(session, answer, f"{folder or 'it'} cannot be listed") from answer
            yield from self._entries(session, dict(handles))
        finally:
            if session.alive:
                with suppress(StrongroomError):
                    session.ask_all((wire.CLOSE, handle) for handle in handles.values())

    def _entries(self, session: Session, rest: dict[str, bytes]) -> Iterator[tuple[str, wire.Attributes]]:
        """What is in each of these open folders, each asked until it has no more."""
        while rest:
            answers = session.ask_all((wire.READDIR, handle) for handle in rest.values())
            for folder, answer in list(zip(rest, answers, strict=True)):
                if not isinstance(answer, StatusError):
                    yield from _named(folder, answer)
                elif answer.code == wire.EOF:
                    del rest[folder]
                else:
                    raise self.fail(session, answer, f"{folder or 'it'} cannot be listed") from answer


def parents(key: str) -> list[str]:
    """The folders of a key from the top: `a/b/c` is in `a` and `a/b`."""
    return list(accumulate(key.split("/")[:-1], lambda above, name: f"{above}/{name}"))


def _named(folder: str, answer: wire.Reader) -> Iterator[tuple[str, wire.Attributes]]:
    for _ in range(answer.number()):
        name = answer.text()
        answer.data()  # a line as `ls -l` has it
        entry = answer.attributes()
        if name not in {".", ".."}:
            yield f"{folder}/{name}" if folder else name, entry
