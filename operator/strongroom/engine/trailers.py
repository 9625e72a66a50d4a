"""The last line that the shell around a program writes: what it has counted, and how the program ended."""

from dataclasses import dataclass


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
