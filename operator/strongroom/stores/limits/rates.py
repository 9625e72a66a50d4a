"""At most so many bytes a second, up and down: a token bucket for each way, shared by all that one store is asked."""

import threading
import time
from collections.abc import Callable, Iterator

from strongroom.stores.limits.passing import PassingReader, PassingStore, PassingWriter
from strongroom.stores.store import Chunk, Store, StoreReader, StoreWriter

_BUCKETS_A_SECOND = 8
"""The bucket holds the bytes of an eighth of a second: what is saved up while nothing moves goes out no faster than that."""


class TokenBucket:
    """Fills at a rate; who takes more than it holds sleeps until that has flowed in."""

    def __init__(
        self,
        bytes_per_second: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin full. `clock` and `sleep` are in seconds."""
        self._rate = bytes_per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self.size_bytes = max(1, bytes_per_second // _BUCKETS_A_SECOND)
        self._level = float(self.size_bytes)
        self._last = clock()

    def take(self, count: int) -> None:
        """Return when that many bytes may move, or have moved rightly."""
        with self._lock:
            now = self._clock()
            flown = (now - self._last) * self._rate
            self._level, self._last = min(self.size_bytes, self._level + flown) - count, now
            missing = -self._level
        if missing > 0:
            self._sleep(missing / self._rate)

    def pieces(self, chunk: Chunk) -> Iterator[memoryview]:
        """The chunk in pieces that the bucket can hold, each when it may move."""
        whole = memoryview(chunk)
        for start in range(0, len(whole), self.size_bytes):
            piece = whole[start : start + self.size_bytes]
            self.take(len(piece))
            yield piece


class PacedStore(PassingStore):
    """A store whose writers and readers keep to a rate. Listings and deletions are small and pass at once.

    A store that gathers what it is given (a bucket, by parts) sends that faster for a moment; over many parts the rate holds.
    """

    def __init__(
        self, store: Store, *, up: TokenBucket | None = None, down: TokenBucket | None = None
    ) -> None:
        """Without a bucket there is no limit."""
        super().__init__(store)
        self._up = up
        self._down = down

    def create(self, key: str) -> StoreWriter:
        """See Store."""
        writer = super().create(key)
        return writer if self._up is None else _PacedWriter(writer, self._up)

    def open(self, key: str) -> StoreReader:
        """See Store."""
        reader = super().open(key)
        return reader if self._down is None else _PacedReader(reader, self._down)


class _PacedWriter(PassingWriter):
    def __init__(self, writer: StoreWriter, bucket: TokenBucket) -> None:
        super().__init__(writer)
        self._bucket = bucket

    def write(self, chunk: Chunk) -> None:
        for piece in self._bucket.pieces(chunk):
            super().write(piece)


class _PacedReader(PassingReader):
    def __init__(self, reader: StoreReader, bucket: TokenBucket) -> None:
        super().__init__(reader)
        self._bucket = bucket

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer[: self._bucket.size_bytes])
        self._bucket.take(count)
        return count
