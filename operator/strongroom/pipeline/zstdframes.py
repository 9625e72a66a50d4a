"""Where zstd frames end (RFC 8878, section 3.1.1): the library decodes a cut stream without a word."""

from collections.abc import Generator

from strongroom.pipeline.sinks import Chunk

_MAGIC = 0xFD2FB528
_RLE_BLOCK = 1
_DICTIONARY_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)


class FrameFollower:
    """A sink that sees a stored stream go by and knows whether it ends where a frame ends. It decodes nothing."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._skip = 0
        self._field = bytearray()
        self._at_border = False
        self._is_lost = False
        self._steps = self._follow()
        self._wanted = next(self._steps)

    @property
    def is_whole(self) -> bool:
        """Whether all that was written so far is one frame or more, each to its last byte."""
        return self._at_border and not (self._skip or self._field or self._is_lost)

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        position = 0
        while position < len(chunk) and not self._is_lost:
            if self._skip:
                step = min(self._skip, len(chunk) - position)
                self._skip -= step
            else:
                step = self._collect(chunk, position)
            position += step

    def _collect(self, chunk: Chunk, position: int) -> int:
        part = bytes(chunk[position : position + self._wanted - len(self._field)])
        self._field += part
        if len(self._field) == self._wanted:
            field = bytes(self._field)
            self._field.clear()
            self._wanted = self._steps.send(field)
        return len(part)

    def _follow(self) -> Generator[int, bytes, None]:
        """Ask for the fields of frame after frame; what lies between them is skipped."""
        while True:
            magic = yield 4
            self._at_border = False
            if int.from_bytes(magic, "little") != _MAGIC:
                self._is_lost = True
                yield 1
            descriptor = (yield 1)[0]
            self._skip = _header_bytes(descriptor)
            is_last = False
            while not is_last:
                block = int.from_bytes((yield 3), "little")
                is_last = bool(block & 1)
                self._skip = 1 if block >> 1 & 3 == _RLE_BLOCK else block >> 3
            if descriptor & 4:  # a checksum follows the last block
                self._skip += 4
            self._at_border = True


def _header_bytes(descriptor: int) -> int:
    """Length of the frame header behind its descriptor."""
    single_segment = descriptor >> 5 & 1
    content_size = _CONTENT_SIZE_BYTES[descriptor >> 6] or single_segment
    return (1 - single_segment) + _DICTIONARY_BYTES[descriptor & 3] + content_size
