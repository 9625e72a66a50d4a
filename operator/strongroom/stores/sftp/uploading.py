"""One key being written: to a name of its own, counted, synced where the server can, and given its name by a link that never replaces."""

import secrets
from contextlib import suppress
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.keys import UNFINISHED_PREFIX
from strongroom.stores.sftp import wire
from strongroom.stores.sftp.connections import Connections
from strongroom.stores.sftp.failures import is_missing
from strongroom.stores.sftp.session import LostError, StatusError
from strongroom.stores.sftp.tree import Tree
from strongroom.stores.store import Chunk

_WINDOW_BYTES = 4 << 20
"""Sent and not yet acknowledged: enough for 40 MB/s over 100 ms. None of it is kept here."""


class SftpWriter:
    """See StoreWriter. It has a connection for itself."""

    def __init__(self, connections: Connections, tree: Tree, key: str) -> None:
        """Begin the file. KeyExists where the key is committed."""
        self._connections = connections
        self._tree = tree
        self._key = key
        folder, slash, _ = key.rpartition("/")
        self._unfinished = f"{folder}{slash}{UNFINISHED_PREFIX}{secrets.token_hex(12)}"
        self._size = 0
        self._waiting: list[int] = []
        self._handle: bytes | None = None
        self._open = True
        self._session = connections.take()
        try:
            self._begin()
        except BaseException:
            self.abort()
            raise

    def write(self, chunk: Chunk) -> None:
        """See StoreWriter."""
        rest = memoryview(chunk)
        step = self._session.write_bytes
        assert self._handle is not None  # noqa: S101 - a fault of the caller, who goes on after a failure
        while rest:
            piece, rest = rest[:step], rest[step:]
            if len(self._waiting) * step >= _WINDOW_BYTES:
                self._acknowledge()
            place = wire.long(self._size) + wire.number(len(piece))
            self._waiting.append(self._session.submit(wire.WRITE, self._handle, place, piece))
            self._size += len(piece)

    def commit(self) -> None:
        """See StoreWriter. After a connection that was lost with the last answer, another one finds out whose the key is."""
        self._finish()
        try:
            self._publish()
        except LostError:
            if not self._is_ours():
                raise
        self._settle()
        self._leave()

    def abort(self) -> None:
        """See StoreWriter."""
        if not self._open:
            return
        self._open = False
        with suppress(StrongroomError, StatusError):
            if not self._session.alive:
                self._connections.give_back(self._session)
                self._session = self._connections.take()
            self._session.ask(wire.REMOVE, wire.text(self._tree.path(self._unfinished)))
            self._tree.remove_empty(self._session, self._unfinished.rpartition("/")[0])
        # Requests may still be on their way, and the file open: nobody else gets this connection.
        self._session.close()

    def _begin(self) -> None:
        if self._tree.find(self._session, self._key) is not None:
            raise self._exists()
        for _ in range(2):  # once more when another worker has removed a folder that was empty
            self._tree.make_parents(self._session, self._key)
            flags = wire.number(wire.TO_WRITE | wire.CREATE | wire.EXCLUSIVE)
            try:
                opened = self._session.ask(
                    wire.OPEN, wire.text(self._tree.path(self._unfinished)), flags, wire.permissions(0o600)
                )
            except StatusError as error:
                refusal = error
                if is_missing(error):
                    continue
                break
            self._handle = wire.text(bytes(opened.data()))
            return
        self._tree.check_root(self._session)
        raise self._tree.fail(self._session, refusal, f"{self._key} cannot be written") from refusal

    def _acknowledge(self) -> None:
        """Wait for the oldest piece that is on its way."""
        try:
            self._session.answer(self._waiting.pop(0))
        except StatusError as error:
            raise self._tree.fail(self._session, error, f"{self._key} cannot be written") from error

    def _finish(self) -> None:
        """See that every byte is there, and durable."""
        while self._waiting:
            self._acknowledge()
        handle, self._handle = self._handle, None
        assert handle is not None  # noqa: S101 - a fault of the caller, who commits twice
        try:
            if wire.FSYNC in self._session.extensions:
                self._session.ask_extension(wire.FSYNC, handle)
            self._session.ask(wire.CLOSE, handle)
        except StatusError as error:
            raise self._tree.fail(self._session, error, f"{self._key} cannot be finished") from error
        found = self._tree.find(self._session, self._unfinished)
        if found is None:
            words = f"sftp.path {self._tree.root}: {self._key} was swept away while it was written"
            raise StrongroomError(Reason.StoreFailed, words)
        if found.size != self._size:
            words = f"sftp.path {self._tree.root}: of {self._key} {found.size} bytes arrived instead of {self._size}"
            raise StrongroomError(Reason.StoreFailed, words)

    def _publish(self) -> None:
        """Give the file its name, if nobody has it."""
        here, there = (wire.text(self._tree.path(name)) for name in (self._unfinished, self._key))
        if wire.HARDLINK in self._session.extensions:
            with suppress(StatusError):
                self._session.ask_extension(wire.HARDLINK, here, there)
                return
        # No links there, or the name is taken: version 3 forbids that a rename replaces, but not every server obeys.
        if self._tree.find(self._session, self._key) is not None:
            raise self._exists()
        try:
            self._session.ask(wire.RENAME, here, there)
        except StatusError as error:
            if self._tree.find(self._session, self._key) is not None:
                raise self._exists() from error
            raise self._tree.fail(self._session, error, f"{self._key} cannot be given its name") from error

    def _is_ours(self) -> bool:
        """Over a new connection: whether the key is the file that we wrote. A link shares its times with its other name."""
        self._connections.give_back(self._session)
        self._session = self._connections.take()
        key = self._tree.find(self._session, self._key)
        own = self._tree.find(self._session, self._unfinished)
        if key is None or own is None:
            return key is not None and key.size == self._size  # a rename leaves no other name
        marked = key.modified + 1
        try:
            path = self._tree.path(self._unfinished)
            self._session.ask(wire.SETSTAT, wire.text(path), wire.times(marked))
        except StatusError:
            return False
        again = self._tree.find(self._session, self._key)
        return again is not None and again.modified == marked

    def _settle(self) -> None:
        """Make the name durable as far as the server lets: a sync of the file takes its new name along on Linux."""
        with suppress(StatusError, StrongroomError):  # a second name that stays is swept later
            self._session.ask(wire.REMOVE, wire.text(self._tree.path(self._unfinished)))
        if wire.FSYNC not in self._session.extensions:
            return
        with suppress(StatusError, StrongroomError):
            path = wire.text(self._tree.path(self._key))
            opened = self._session.ask(wire.OPEN, path, wire.number(wire.TO_READ), wire.NO_ATTRIBUTES)
            handle = wire.text(bytes(opened.data()))
            with suppress(StatusError):
                self._session.ask_extension(wire.FSYNC, handle)
            self._session.ask(wire.CLOSE, handle)

    def _leave(self) -> None:
        self._open = False
        self._connections.give_back(self._session)

    def _exists(self) -> StrongroomError:
        return StrongroomError(Reason.KeyExists, f"{self._key} exists already in sftp.path {self._tree.root}")

    def __enter__(self) -> Self:
        """See StoreWriter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreWriter."""
        self.abort()
