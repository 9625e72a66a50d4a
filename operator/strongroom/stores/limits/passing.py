"""A store around another: what a wrapper does not change goes straight through."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Self

from strongroom.stores.store import Chunk, Store, StoredKey, StoreProbe, StoreReader, StoreWriter


class PassingStore:
    """See Store."""

    def __init__(self, store: Store) -> None:
        """Go through to that store."""
        self._store = store

    def probe(self) -> StoreProbe:
        """See Store."""
        return self._store.probe()

    def claim(self, prefix: str) -> AbstractContextManager[None]:
        """See Store."""
        return self._store.claim(prefix)

    def create(self, key: str) -> StoreWriter:
        """See Store."""
        return self._store.create(key)

    def open(self, key: str) -> StoreReader:
        """See Store."""
        return self._store.open(key)

    def look(self, key: str) -> StoredKey | None:
        """See Store."""
        return self._store.look(key)

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """See Store."""
        return self._store.list(prefix)

    def delete(self, key: str) -> None:
        """See Store."""
        self._store.delete(key)

    def sweep(self, prefix: str, before: datetime) -> int:
        """See Store."""
        return self._store.sweep(prefix, before)


class PassingWriter:
    """See StoreWriter."""

    def __init__(self, writer: StoreWriter) -> None:
        """Go through to that writer."""
        self._writer = writer

    def write(self, chunk: Chunk) -> None:
        """See StoreWriter."""
        self._writer.write(chunk)

    def commit(self) -> None:
        """See StoreWriter."""
        self._writer.commit()

    def abort(self) -> None:
        """See StoreWriter."""
        self._writer.abort()

    def __enter__(self) -> Self:
        """See StoreWriter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreWriter."""
        self.abort()


class PassingReader:
    """See StoreReader."""

    def __init__(self, reader: StoreReader) -> None:
        """Go through to that reader."""
        self._reader = reader

    def readinto(self, buffer: memoryview) -> int:
        """See StoreReader."""
        return self._reader.readinto(buffer)

    def close(self) -> None:
        """See StoreReader."""
        self._reader.close()

    def __enter__(self) -> Self:
        """See StoreReader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreReader."""
        self.close()
