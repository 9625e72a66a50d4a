"""A tar stream looked at while it passes: what is in it, and whether it is whole."""

from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.tarblocks import ZEROS, TarBlocks, padded
from strongroom.sources.files.tarheaders import (
    BLOCK_BYTES,
    Header,
    damaged,
    parse_decimal,
    parse_header,
    parse_records,
)

_WITH_CONTENT = frozenset([b"0", b"\0", b"7"])
_WITHOUT_CONTENT = frozenset([b"1", b"2", b"3", b"4", b"5", b"6"])
LONGEST_EXTENSION = 16 << 20
"""Bytes of one extended header: names, and extended attributes of at most 64 KiB each."""


@dataclass(frozen=True)
class Tally:
    """What is in an archive. `size_bytes`: of the files when unpacked; `names`: sum of the names' hashes, as in Walk.

    `folders`: members that are folders.
    """

    members: int
    size_bytes: int
    names: int
    folders: int


class TarScan(TarBlocks):
    """A sink. Keeps nothing but counts."""

    def __init__(self) -> None:
        """Begin before the first header."""
        super().__init__()
        self._extension: Header | None = None
        self._records: dict[bytes, bytes] = {}
        self._members = 0
        self._size_bytes = 0
        self._names = 0
        self._folders = 0

    def finish(self) -> Tally:
        """What was in it; DumpIncomplete without the end-of-archive mark."""
        if not self.is_ended:
            raise StrongroomError(
                Reason.DumpIncomplete,
                f"the tar stream has no end mark: it was cut after {self._members} members",
            )
        return Tally(self._members, self._size_bytes, self._names, self._folders)

    def take(self, unit: bytes) -> None:
        """See TarBlocks."""
        if self._extension is not None:
            self._take_extension(self._extension, unit)
        elif unit == ZEROS:
            if self._records:
                raise damaged("its end mark follows an extended header")
            self.take_zeros()
        else:
            self.refuse_late_header()
            self._take_header(parse_header(unit))

    def _take_header(self, header: Header) -> None:
        if header.kind in {b"x", b"g", b"L", b"K"}:
            if not 0 < header.size_bytes <= LONGEST_EXTENSION:
                raise damaged(f"an extended header has {header.size_bytes} bytes")
            self._extension, self.wanted = header, padded(header.size_bytes)
        elif header.kind in _WITH_CONTENT or header.kind in _WITHOUT_CONTENT:
            self._take_member(header)
        else:
            raise damaged(f"a member of the unknown type {header.kind!r}")

    def _take_extension(self, header: Header, body: bytes) -> None:
        self._extension, self.wanted = None, BLOCK_BYTES
        body = body[: header.size_bytes]
        if header.kind == b"x":
            self._records.update(parse_records(body))
        elif header.kind == b"L":
            self._records[b"path"] = body.rstrip(b"\0")

    def _take_member(self, header: Header) -> None:
        name, content, size = header.name, header.size_bytes, header.size_bytes
        if records := self._records:
            name = records.get(b"GNU.sparse.name") or records.get(b"path") or name
            if (stored := records.get(b"size")) is not None:
                content = size = parse_decimal(stored)
            if (real := records.get(b"GNU.sparse.realsize")) is not None:
                size = parse_decimal(real)
            self._records = {}
        if header.kind in _WITH_CONTENT:
            self.skip = padded(content)
            self._size_bytes += size
        self._members += 1
        self._folders += header.kind == b"5"
        self._names += hash(name.rstrip(b"/") if name != b"/" else name)
