"""The bytes of one key: asked for ahead, a few MiB at a time, and handed out in their order."""

import stat
from contextlib import suppress
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.sftp import wire
from strongroom.stores.sftp.connections import Connections
from strongroom.stores.sftp.failures import is_missing
from strongroom.stores.sftp.session import LostError, StatusError
from strongroom.stores.sftp.tree import Tree
from strongroom.stores.store import KeyMissingError

_WINDOW_BYTES = 4 << 20
"""Asked for and not yet handed out: at most so much is held in memory."""
_RESUMPTIONS = 3
"""In a row without a single byte; then the read has failed."""


class SftpReader:
    """See StoreReader. It has a connection for itself, and goes on over another one where that breaks off."""

    def __init__(self, connections: Connections, tree: Tree, key: str) -> None:
        """Open the file. KeyMissingError when there is no such key."""
        self._connections = connections
        self._tree = tree
        self._key = key
        self._offset = self._ahead = 0
        self._waiting: list[tuple[int, int]] = []
        """Requests in the order of their bytes, each with how many it asks for."""
        self._piece = memoryview(b"")
        self._futile = 0
        self._handle = b""
        self._session = connections.take()
        self._open = True
        try:
            self._attributes = self._begin()
        except BaseException:
            self.close()
            raise

    def readinto(self, buffer: memoryview) -> int:
        """See StoreReader."""
        while not self._piece and self._offset < self._attributes.size and len(buffer):
            try:
                self._fetch()
            except LostError as error:
                self._resume(error)
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def close(self) -> None:
        """See StoreReader."""
        if not self._open:
            return
        self._open = False
        with suppress(StatusError, StrongroomError):
            for request, _ in self._waiting:
                self._session.abandon(request)
            if self._handle and self._session.alive:
                self._session.ask(wire.CLOSE, self._handle)
        self._connections.give_back(self._session)

    def _begin(self) -> wire.Attributes:
        found = self._tree.find(self._session, self._key)
        if found is None:
            raise KeyMissingError(self._key)
        if not stat.S_ISREG(found.mode):
            words = f"sftp.path {self._tree.root}: {self._key} is no file: a symbolic link is not followed"
            raise StrongroomError(Reason.StoreFailed, words)
        path = wire.text(self._tree.path(self._key))
        try:
            opened = self._session.ask(wire.OPEN, path, wire.number(wire.TO_READ), wire.NO_ATTRIBUTES)
        except StatusError as error:
            if is_missing(error):
                raise KeyMissingError(self._key) from error
            raise self._tree.fail(self._session, error, f"{self._key} cannot be read") from error
        self._handle = wire.text(bytes(opened.data()))
        return found

    def _fetch(self) -> None:
        """Take the next piece, with the window full of requests."""
        step, size = self._session.read_bytes, self._attributes.size
        while self._ahead < size and len(self._waiting) * step < _WINDOW_BYTES:
            wanted = min(step, size - self._ahead)
            place = wire.long(self._ahead) + wire.number(wanted)
            self._waiting.append((self._session.submit(wire.READ, self._handle, place), wanted))
            self._ahead += wanted
        request, wanted = self._waiting.pop(0)
        try:
            self._piece = self._session.answer(request).data()
        except StatusError as error:
            if error.code == wire.EOF:
                raise self._changed() from error
            raise self._tree.fail(self._session, error, f"{self._key} cannot be read") from error
        self._offset += len(self._piece)
        self._futile = 0
        if len(self._piece) < wanted:
            self._ask_again()

    def _ask_again(self) -> None:
        """After less than was asked for, which a server may give at any time: all that was asked for beyond is."""
        for request, _ in self._waiting:
            self._session.abandon(request)
        self._waiting.clear()
        self._ahead = self._offset

    def _resume(self, error: LostError) -> None:
        self._futile += 1
        if self._futile > _RESUMPTIONS:
            raise error
        self._waiting.clear()
        self._ahead = self._offset
        self._connections.give_back(self._session)
        self._session = self._connections.take()
        if self._begin()[::2] != self._attributes[::2]:
            raise self._changed() from error

    def _changed(self) -> StrongroomError:
        words = f"sftp.path {self._tree.root}: {self._key} changed, or was cut, while it was read"
        return StrongroomError(Reason.StoreFailed, words)

    def __enter__(self) -> Self:
        """See StoreReader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreReader."""
        self.close()
