"""Headers of tar archives: POSIX.1-2001 (pax) with GNU tar's sparse format 1.0 and its old long names.

Sources: POSIX.1-2017, pax, "pax Interchange Format"; the GNU tar manual, "Basic Tar Format" and "PAX Format, Version 1.0".
"""

import zlib
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError

BLOCK_BYTES = 512
_CHECKSUM = slice(148, 156)
_SPACES = 8 * 0x20
_ADLER_MODULUS = 65521
_BASE_256 = 0x80


@dataclass(frozen=True)
class Header:
    """One header block. `size_bytes` is what its size field says, whatever follows it."""

    kind: bytes
    name: bytes
    size_bytes: int
    link: bytes = b""
    mode: int = 0


def damaged(words: str) -> StrongroomError:
    """What is raised for anything that is not as the format has it."""
    return StrongroomError(Reason.VerificationFailed, f"the tar stream is damaged: {words}")


def parse_header(block: bytes) -> Header:
    """The block's fields; VerificationFailed unless its checksum and numbers are right."""
    # The checksum is the sum of all bytes, its own field counted as spaces. The low half of an Adler-32 is 1 + that sum
    # modulo 65521, at the speed of C.
    expected = _octal(block[_CHECKSUM])
    found = zlib.adler32(block[:148] + block[156:]) - 1 & 0xFFFF
    if (found + _SPACES - expected) % _ADLER_MODULUS:
        raise damaged("a header's checksum is wrong")
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0" and block[345]:
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    link = block[157:257].partition(b"\0")[0]
    return Header(block[156:157], name, _number(block[124:136]), link, _number(block[100:108]))


def parse_records(body: bytes) -> dict[bytes, bytes]:
    """Records of an extended header, each `<length> <keyword>=<value>` and a newline."""
    records = {}
    position = 0
    while position < len(body):
        length, space, _ = body[position : position + 21].partition(b" ")
        end = position + (int(length) if length.isdigit() else 0)
        keyword, equals, value = body[position + len(length) + 1 : end - 1].partition(b"=")
        if not (space and equals and position < end <= len(body)) or body[end - 1] != 0x0A:
            raise damaged("an extended header is malformed")
        if keyword in records:
            raise damaged("an extended header has a record twice")
        records[keyword] = value
        position = end
    return records


def parse_decimal(text: bytes) -> int:
    """A number of a record."""
    if not text.isdigit():
        raise damaged("an extended header's number is malformed")
    return int(text)


def _number(field: bytes) -> int:
    """Octal digits; or, where these are too few, base 256 (GNU), whose first byte also holds the sign."""
    if field[0] == _BASE_256:
        return int.from_bytes(field[1:], "big")
    return _octal(field)


def _octal(field: bytes) -> int:
    # int() would also take signs, underscores and prefixes.
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise damaged("a header's number is malformed")
    return int(digits or b"0", 8)
