"""A key that is read twice: what comes the second time is given on only as far as it is, piece by piece, what came the first time.

Whoever writes to a store might change a file between its proof and its use.
"""

import hashlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.store import Store, StoreReader

_PIECE_BYTES = 1 << 20


class ProvedStore:
    """Opens one key of a store: once to be proved, then to be used."""

    def __init__(self, store: Store) -> None:
        """Nothing is read yet."""
        self._store = store
        self._digests: list[bytes] = []
        self._is_first = True

    def open(self, key: str) -> StoreReader:
        """See Store; the second time the reader raises ArtifactCorrupt before it gives what was not there the first time."""
        accept = self._remember if self._is_first else self._compare
        self._is_first = False
        return _PieceReader(self._store.open(key), accept)

    def _remember(self, _number: int, piece: bytes) -> None:
        self._digests.append(hashlib.sha256(piece).digest())

    def _compare(self, number: int, piece: bytes) -> None:
        if self._digests[number : number + 1] != [hashlib.sha256(piece).digest()]:
            raise StrongroomError(
                Reason.ArtifactCorrupt, "it was read twice, and was another the second time"
            )


class _PieceReader:
    """See StoreReader: gives a piece once it is whole and accepted."""

    def __init__(self, reader: StoreReader, accept: Callable[[int, bytes], None]) -> None:
        self._reader = reader
        self._accept = accept
        self._number = 0
        self._buffer = memoryview(bytearray(_PIECE_BYTES))
        self._rest = self._buffer[:0]

    def readinto(self, buffer: memoryview) -> int:
        """See StoreReader."""
        if not self._rest:
            self._rest = self._read_piece()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _read_piece(self) -> memoryview:
        filled = 0
        while filled < _PIECE_BYTES and (count := self._reader.readinto(self._buffer[filled:])):
            filled += count
        if filled:
            self._accept(self._number, bytes(self._buffer[:filled]))
            self._number += 1
        return self._buffer[:filled]

    def close(self) -> None:
        """See StoreReader."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
