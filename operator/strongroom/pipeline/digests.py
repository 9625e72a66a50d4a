"""What a stream was: its length and its SHA-256."""

import hashlib
from dataclasses import dataclass

from strongroom.pipeline.sinks import Chunk


@dataclass(frozen=True)
class Fingerprint:
    """Length in bytes and SHA-256 (lower-case hex) of a whole stream."""

    size_bytes: int
    sha256: str


class Digest:
    """A sink that remembers only the fingerprint. hashlib leaves other threads running while it works."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._hash = hashlib.sha256(usedforsecurity=True)
        self.size_bytes = 0

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        self._hash.update(chunk)
        self.size_bytes += len(chunk)

    def fingerprint(self) -> Fingerprint:
        """Of all that was written so far."""
        return Fingerprint(self.size_bytes, self._hash.hexdigest())
