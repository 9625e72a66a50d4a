"""A store that forgets: the shipped fake, for tests of whatever uses a store."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.keys import checked
from strongroom.stores.store import Capability, Chunk, KeyMissingError, StoredKey, StoreProbe, StoreWriter


class MemoryStore:
    """Keys in a dict. Holds every byte in memory."""

    def __init__(self) -> None:
        """Start empty."""
        self._objects: dict[str, tuple[bytes, datetime]] = {}
        self._unfinished: dict[MemoryWriter, datetime] = {}
        self._claims: set[str] = set()
        self._lock = threading.Lock()

    def probe(self) -> StoreProbe:
        """Always ready."""
        return StoreProbe(capabilities=frozenset({Capability.CLAIMS}), free_bytes=None)

    @contextmanager
    def claim(self, prefix: str) -> Iterator[None]:
        """See Store."""
        with self._lock:
            if prefix in self._claims:
                raise StrongroomError(Reason.TargetBusy, f"another worker is at work under {prefix}")
            self._claims.add(prefix)
        try:
            yield
        finally:
            self._claims.discard(prefix)

    def create(self, key: str) -> StoreWriter:
        """See Store."""
        with self._lock:
            if checked(key) in self._objects:
                raise _exists(key)
            writer = MemoryWriter(self, key)
            self._unfinished[writer] = datetime.now(UTC)
            return writer

    def open(self, key: str) -> "MemoryReader":
        """See Store."""
        with self._lock:
            if checked(key) not in self._objects:
                raise KeyMissingError(key)
            return MemoryReader(self._objects[key][0])

    def look(self, key: str) -> StoredKey | None:
        """See Store."""
        with self._lock:
            found = self._objects.get(checked(key))
        return None if found is None else StoredKey(key, len(found[0]), found[1])

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """See Store."""
        with self._lock:
            found = sorted(item for item in self._objects.items() if item[0].startswith(prefix))
        for key, (data, modified) in found:
            yield StoredKey(key, len(data), modified)

    def delete(self, key: str) -> None:
        """See Store."""
        with self._lock:
            self._objects.pop(checked(key), None)

    def sweep(self, prefix: str, before: datetime) -> int:
        """See Store."""
        with self._lock:
            dead = [w for w, since in self._unfinished.items() if w.key.startswith(prefix) and since < before]
            for writer in dead:
                del self._unfinished[writer]
        return len(dead)

    def publish(self, writer: "MemoryWriter", data: bytes) -> None:
        """Make a writer's bytes visible under its key."""
        with self._lock:
            if writer.key in self._objects:
                raise _exists(writer.key)
            if self._unfinished.pop(writer, None) is None:
                raise StrongroomError(Reason.StoreFailed, f"{writer.key} was swept away while it was written")
            self._objects[writer.key] = (data, datetime.now(UTC))

    def forget(self, writer: "MemoryWriter") -> None:
        """Drop an unfinished writer."""
        with self._lock:
            self._unfinished.pop(writer, None)


class MemoryWriter:
    """See StoreWriter."""

    def __init__(self, store: MemoryStore, key: str) -> None:
        """Begin empty."""
        self.key = key
        self._store = store
        self._data = bytearray()

    def write(self, chunk: Chunk) -> None:
        """See StoreWriter."""
        self._data += chunk

    def commit(self) -> None:
        """See StoreWriter."""
        self._store.publish(self, bytes(self._data))

    def abort(self) -> None:
        """See StoreWriter."""
        self._store.forget(self)

    def __enter__(self) -> Self:
        """See StoreWriter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreWriter."""
        self.abort()


class MemoryReader:
    """See StoreReader."""

    def __init__(self, data: bytes) -> None:
        """Begin at the start."""
        self._rest = memoryview(data)

    def readinto(self, buffer: memoryview) -> int:
        """See StoreReader."""
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """See StoreReader."""

    def __enter__(self) -> Self:
        """See StoreReader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreReader."""


def _exists(key: str) -> StrongroomError:
    return StrongroomError(Reason.KeyExists, f"{key} exists already in the store")
