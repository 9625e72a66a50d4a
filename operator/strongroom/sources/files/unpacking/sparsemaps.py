"""Maps of sparse files in GNU tar's PAX format 1.0: where the data of a file with holes lies.

Source: the GNU tar manual, "PAX Format, Version 1.0". The map is the beginning of the member's content: decimal numbers, each
followed by a newline: how many pieces, then offset and length of each; padded to whole blocks.
"""

from strongroom.sources.files.tarblocks import padded
from strongroom.sources.files.unpacking.membernames import refused, told

_LONGEST_NUMBER = 20
_MOST_PIECES = 4_000_000


class SparseMap:
    """Takes the blocks of a member's content until the map is whole, and holds it to what the headers say."""

    def __init__(self, name: bytes, content_bytes: int, real_bytes: int) -> None:
        """`content_bytes`: of map and data in the archive; `real_bytes`: of the file."""
        self._name = name
        self._content_bytes = content_bytes
        self._real_bytes = real_bytes
        self._rest = b""
        self._numbers: list[int] = []
        self._taken_bytes = 0

    def take(self, block: bytes) -> int | None:
        """The next block of it; the bytes of data (with padding) that follow when it was the last, else None."""
        self._taken_bytes += len(block)
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            if self._is_whole:
                break
            self._numbers.append(self._number(line))
        if self._is_whole:
            return self._data_bytes()
        if self._taken_bytes >= self._content_bytes or len(self._rest) > _LONGEST_NUMBER:
            raise self._wrong("does not end")
        return None

    @property
    def _is_whole(self) -> bool:
        return bool(self._numbers) and len(self._numbers) == 1 + 2 * self._numbers[0]

    def _number(self, line: bytes) -> int:
        if not line.isdigit() or len(line) > _LONGEST_NUMBER:
            raise self._wrong("holds what is no number")
        number = int(line)
        if not self._numbers and number > _MOST_PIECES:
            raise self._wrong(f"has {number} pieces")
        return number

    def _data_bytes(self) -> int:
        end = data = 0
        pieces = zip(self._numbers[1::2], self._numbers[2::2], strict=True)
        for offset, length in pieces:
            if offset < end:
                raise self._wrong("has pieces that overlap")
            end = offset + length
            data += length
        if end != self._real_bytes:
            raise self._wrong(f"ends at {end} instead of the file's end at {self._real_bytes}")
        if self._taken_bytes + data != self._content_bytes:
            raise self._wrong(f"tells of {data} bytes instead of {self._content_bytes - self._taken_bytes}")
        return padded(data)

    def _wrong(self, words: str) -> Exception:
        return refused(f"the map of the sparse file {told(self._name)} {words}")
