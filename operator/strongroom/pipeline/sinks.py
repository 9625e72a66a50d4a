"""Where chunks go. Sources, stages and stores meet in this shape."""

from typing import Protocol

Chunk = bytes | bytearray | memoryview

CHUNK_BYTES = 1 << 20
"""Size of the buffers that travel: big enough that threads rarely meet, small enough to stay in a few MiB."""


class Sink(Protocol):
    """Takes chunks one after another."""

    def write(self, chunk: Chunk) -> None:
        """Take the whole chunk; a buffer that the sink keeps is `bytes`, never a view."""


class Readable(Protocol):
    """Gives chunks one after another."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer and return how much; 0 only at the end."""
