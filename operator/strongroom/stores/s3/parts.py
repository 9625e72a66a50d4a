"""The parts of an upload: how large each is, and where its bytes wait until they are sent."""

import base64
import hashlib
import io
import tempfile
from collections.abc import Callable
from typing import IO, cast

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.store import Chunk

MOST_PARTS = 10_000
_MEBIBYTE = 1 << 20
_STEPS = (
    (2000, 16 * _MEBIBYTE),
    (4000, 64 * _MEBIBYTE),
    (6000, 256 * _MEBIBYTE),
    (MOST_PARTS, 1280 * _MEBIBYTE),
)
"""Up to which part each size holds. Together 5.6 TiB; an object may have 5 TiB in 10,000 parts of 5 MiB to 5 GiB:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html. The first 31 GiB go in parts that fit in memory."""
MEMORY_BYTES = 16 * _MEBIBYTE
"""Larger parts wait in a file without a name in the worker's scratch folder."""


def part_bytes(number: int) -> int:
    """The size of that part, of which the first is 1. StoreFull beyond the last."""
    for last, size in _STEPS:
        if number <= last:
            return size
    raise StrongroomError(Reason.StoreFull, f"an object of a bucket cannot have more than {MOST_PARTS} parts")


class _MovingBody(io.RawIOBase):
    """What a client sends, piece by piece."""

    def __init__(self, body: IO[bytes], moving: Callable[[], None]) -> None:
        """From that body, which stays open."""
        super().__init__()
        self._body = body
        self._moving = moving

    def read(self, size: int = -1) -> bytes:
        """Some bytes, on their way."""
        self._moving()
        return self._body.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As files do it: a request that is made again begins again."""
        return self._body.seek(offset, whence)

    def tell(self) -> int:
        """As files do it."""
        return self._body.tell()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True


class Part:
    """Bytes that wait to be sent, with their MD5: in memory up to MEMORY_BYTES, else on the disk."""

    def __init__(self, limit: int) -> None:
        """Empty, for at most that many bytes."""
        self._limit = limit
        self._digest = hashlib.md5(usedforsecurity=False)  # S3's check of what arrives
        self.body: IO[bytes] = io.BytesIO() if limit <= MEMORY_BYTES else tempfile.TemporaryFile()  # noqa: SIM115
        self.size_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits."""
        return self.size_bytes == self._limit

    def take(self, chunk: Chunk) -> int:
        """Copy from the chunk what fits; how many bytes that was. StoreFull when the disk has no room for them."""
        piece = memoryview(chunk)[: self._limit - self.size_bytes]
        try:
            self.body.write(piece)
        except OSError as error:
            words = f"a part of {self._limit} bytes cannot be kept in the worker's scratch folder: {error.strerror}"
            raise StrongroomError(Reason.StoreFull, words) from error
        self._digest.update(piece)
        self.size_bytes += len(piece)
        return len(piece)

    def rewound(self, moving: Callable[[], None]) -> IO[bytes]:
        """The body, to be read from its start. `moving` is called whenever some of it is read, to be sent."""
        self.body.seek(0)
        return cast("IO[bytes]", _MovingBody(self.body, moving))

    @property
    def md5(self) -> str:
        """As the header Content-MD5 wants it."""
        return base64.b64encode(self._digest.digest()).decode()

    def close(self) -> None:
        """Give memory or disk back. Idempotent."""
        self.body.close()
