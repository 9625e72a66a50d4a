"""Contents of files compared without keeping them: digests added up, so that the order of files does not matter."""

import hashlib
from collections.abc import Callable

from strongroom.sources.reading import Chunk

_MODULUS = 1 << 256


def content_digest() -> "hashlib._Hash":
    """Begin the digest of one file's content."""
    return hashlib.sha256()


class Contents:
    """The sum of the digests of all contents of an archive, but for sparse files and those of no bytes.

    `wanted` false: nothing is added up, and `total` is None.
    """

    def __init__(self, *, wanted: bool) -> None:
        """Nothing has come yet."""
        self.total: int | None = 0 if wanted else None
        self.skipped: set[bytes] = set()
        """Names of the sparse files."""
        self._left = 0
        self._digest = content_digest()

    def begin(self, size_bytes: int) -> None:
        """A content of that length follows."""
        self._left = size_bytes if self.total is not None else 0
        if self._left:
            self._digest = content_digest()

    def skip(self, name: bytes) -> None:
        """A sparse file follows."""
        self._left = 0
        if self.total is not None:
            self.skipped.add(name)

    def add(self, chunk: Chunk, position: int, length: int) -> None:
        """Some of the content, and of what pads it."""
        if self._left:
            length = min(length, self._left)
            self._digest.update(memoryview(chunk)[position : position + length])
            self._left -= length
            if not self._left:
                self.total = added(self.total or 0, self._digest.digest)


def added(total: int, digest: Callable[[], bytes]) -> int:
    """The sum with one more content."""
    return (total + int.from_bytes(digest(), "big")) % _MODULUS
