"""The last line that the shell around a program writes: what it has counted, and how the program ended."""

from collections.abc import Callable
from dataclasses import dataclass

_LONGEST_LINE = 32 << 10


@dataclass(frozen=True)
class Trailer:
    """`size_bytes` and `sha256` are None where the stream was not measured."""

    exit_code: int
    copied: bool
    size_bytes: int | None
    sha256: str | None

    def fits(self, size_bytes: int, sha256: str) -> bool:
        """Whether a stream of that length and digest is what was sent, whole."""
        return self.copied and (self.size_bytes, self.sha256) == (size_bytes, sha256)


def parse_trailer(errors: bytes | bytearray, nonce: str) -> Trailer | None:
    """The trailer behind the nonce at the end of stderr; None if it is not there, or cut, or not understood."""
    line = errors.rpartition(f"\n{nonce} ".encode())[2]
    if len(line) == len(errors) or not line.endswith(b" end\n"):
        return None
    words = line.decode(errors="replace").split()[:-1]
    said = dict(zip(words[::2], words[1::2], strict=False))
    status, size = said.get("status", ""), said.get("bytes", "")
    if not status.isdecimal() or (size and not size.isdecimal()):
        return None
    return Trailer(
        exit_code=int(status),
        copied=said.get("copied") == "0",
        size_bytes=int(size) if size else None,
        sha256=said.get("sha256"),
    )


class Lines:
    """All that comes on stderr but the trailer, given on in whole lines; longer ones than 32 KiB lose their end."""

    def __init__(self, nonce: str, hear: Callable[[bytes], None]) -> None:
        """`hear` gets each line with its line break. The trailer begins one, so that none before it is left over."""
        self._nonce = nonce.encode()
        self._hear = hear
        self._rest = b""

    def write(self, chunk: memoryview) -> None:
        """The next bytes."""
        *lines, self._rest = (self._rest + bytes(chunk)).split(b"\n")
        self._rest = self._rest[:_LONGEST_LINE]
        for line in lines:
            if not line.startswith(self._nonce):
                self._hear(line + b"\n")
