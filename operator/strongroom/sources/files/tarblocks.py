"""The blocks of a tar stream while it passes: headers and extended headers are looked at, contents are skipped."""

from strongroom.sources.files.tarheaders import BLOCK_BYTES, damaged
from strongroom.sources.reading import Chunk

ZEROS = bytes(BLOCK_BYTES)


class TarBlocks:
    """A sink. A subclass takes units of as many bytes as it wants next; a content costs no more than its headers."""

    def __init__(self) -> None:
        """Begin before the first header."""
        self.skip = 0
        """Bytes of content still to pass, padding included."""
        self.wanted = BLOCK_BYTES
        self.zero_blocks = 0
        self._unit = bytearray()

    def write(self, chunk: Chunk) -> None:
        """See Sink; VerificationFailed when it is no tar stream."""
        position, length = 0, len(chunk)
        while position < length:
            if self.zero_blocks == 2:
                self._pass_padding(chunk, position)
                return
            if self.skip:
                step = min(self.skip, length - position)
                self.pass_content(chunk, position, step)
                self.skip -= step
                position += step
            else:
                position += self._collect(chunk, position)

    def take(self, unit: bytes) -> None:
        """The next `wanted` bytes."""
        raise NotImplementedError

    def pass_content(self, chunk: Chunk, position: int, length: int) -> None:
        """Some bytes of a content, or of its padding, are skipped."""

    def take_zeros(self) -> None:
        """A block of zeros where a header may be."""
        self.zero_blocks += 1

    def refuse_late_header(self) -> None:
        """Raise if this header comes after a block of zeros."""
        if self.zero_blocks:
            raise damaged("a block of zeros is in the middle of it")

    @property
    def is_ended(self) -> bool:
        """Whether the end mark has come."""
        return self.zero_blocks == 2

    def _collect(self, chunk: Chunk, position: int) -> int:
        """Some of the bytes that are looked at; the number of them."""
        part = bytes(chunk[position : position + self.wanted - len(self._unit)])
        unit = part
        if self._unit or len(part) < self.wanted:
            self._unit += part
            unit = bytes(self._unit)
        if len(unit) == self.wanted:
            self._unit.clear()
            self.take(unit)
        return len(part)

    def _pass_padding(self, chunk: Chunk, position: int) -> None:
        rest = bytes(chunk[position:])
        if rest.count(0) != len(rest):
            raise damaged("something follows its end mark")


def padded(size: int) -> int:
    """Bytes that a content takes up in an archive."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES
