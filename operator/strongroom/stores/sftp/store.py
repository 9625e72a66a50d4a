"""A folder on an SSH server as a store."""

import secrets
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime

from strongroom.stores.keys import UNFINISHED_PREFIX, checked, is_key
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.sftp import wire
from strongroom.stores.sftp.connections import Connections
from strongroom.stores.sftp.downloading import SftpReader
from strongroom.stores.sftp.failures import find_space, is_missing
from strongroom.stores.sftp.session import Session, StatusError
from strongroom.stores.sftp.tree import Tree
from strongroom.stores.sftp.uploading import SftpWriter
from strongroom.stores.ssh.access import Access
from strongroom.stores.store import Capability, StoredKey, StoreProbe


class SftpFolder:
    """See Store. Its folder is never made. It has no claims: SFTP has no locks that end with their owner."""

    def __init__(self, access: Access, pulse: Pulse) -> None:
        """Touch nothing yet."""
        self._connections = Connections(access, pulse)
        self._tree = Tree(access.server.path)

    def probe(self) -> StoreProbe:
        """See Store. A file is made, linked and removed."""
        with self._connections.one() as session:
            self._tree.check_root(session)
            found = {Capability.HARD_LINKS} if self._try_to_write(session) else set()
            space = find_space(session, self._tree.root)
            if space is not None:
                found.add(Capability.FREE_SPACE)
            return StoreProbe(frozenset(found), None if space is None else space.free_bytes)

    def claim(self, prefix: str) -> AbstractContextManager[None]:
        """See Store."""
        checked(prefix.removesuffix("/"))
        return nullcontext()

    def create(self, key: str) -> SftpWriter:
        """See Store."""
        return SftpWriter(self._connections, self._tree, checked(key))

    def open(self, key: str) -> SftpReader:
        """See Store."""
        return SftpReader(self._connections, self._tree, checked(key))

    def look(self, key: str) -> StoredKey | None:
        """See Store."""
        with self._connections.one() as session:
            entry = self._tree.find(session, checked(key))
        return None if entry is None or not stat.S_ISREG(entry.mode) else _stored(key, entry)

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """See Store. All folders are read before the first key is given."""
        with self._connections.one() as session:
            found = [
                _stored(path, entry)
                for path, entry in self._tree.walk(session, prefix)
                if path.startswith(prefix) and stat.S_ISREG(entry.mode) and is_key(path)
            ]
        yield from sorted(found, key=lambda stored: stored.key)

    def delete(self, key: str) -> None:
        """See Store. Folders that become empty go too. Durable as far as the server makes it: SFTP syncs no folder."""
        checked(key)
        with self._connections.one() as session:
            if self._tree.find(session, key) is not None:
                self._remove(session, key)
                self._tree.remove_empty(session, key.rpartition("/")[0])

    def sweep(self, prefix: str, before: datetime) -> int:
        """See Store. Empty folders under the prefix go too. The age is by the server's clock."""
        limit = before.timestamp()
        with self._connections.one() as session:
            found = [
                (path, entry)
                for path, entry in self._tree.walk(session, prefix)
                if path.startswith(prefix) and entry.modified < limit
            ]
            dead = [path for path, entry in found if stat.S_ISREG(entry.mode) and _is_unfinished(path)]
            for path in dead:
                self._remove(session, path)
                self._tree.remove_empty(session, path.rpartition("/")[0])
            for path, entry in reversed(found):
                if stat.S_ISDIR(entry.mode):
                    self._tree.remove_empty(session, path)
        return len(dead)

    def _remove(self, session: Session, path: str) -> None:
        try:
            session.ask(wire.REMOVE, wire.text(self._tree.path(path)))
        except StatusError as error:
            if not is_missing(error):
                raise self._tree.fail(session, error, f"{path} cannot be deleted") from error

    def _try_to_write(self, session: Session) -> bool:
        """Raise what stands against it; whether names can be linked."""
        names = [f"{UNFINISHED_PREFIX}{secrets.token_hex(12)}" for _ in range(2)]
        here, there = (wire.text(self._tree.path(name)) for name in names)
        flags = wire.number(wire.TO_WRITE | wire.CREATE | wire.EXCLUSIVE)
        try:
            opened = session.ask(wire.OPEN, here, flags, wire.permissions(0o600))
        except StatusError as error:
            raise self._tree.fail(session, error, "nothing can be written") from error
        session.ask(wire.CLOSE, wire.text(bytes(opened.data())))
        links = False
        if wire.HARDLINK in session.extensions:
            with suppress(StatusError):
                session.ask_extension(wire.HARDLINK, here, there)
                links = True
        for name in names[: 2 if links else 1]:
            self._remove(session, name)
        return links


def _stored(key: str, entry: wire.Attributes) -> StoredKey:
    return StoredKey(key, entry.size, datetime.fromtimestamp(entry.modified, UTC))


def _is_unfinished(path: str) -> bool:
    return path.rpartition("/")[2].startswith(UNFINISHED_PREFIX)
