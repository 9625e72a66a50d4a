"""The guard before the program that extracts: it reads every header first, and refuses what our own archives never hold.

It is strict where tar is kind: what programs understand differently (numbers with signs, headers of other dialects, records that
contradict their header) is refused, so that nothing means one thing to the guard and another to tar.
"""

from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.tarblocks import ZEROS, TarBlocks, padded
from strongroom.sources.files.tarheaders import BLOCK_BYTES, Header, parse_header, parse_records
from strongroom.sources.files.tarscan import LONGEST_EXTENSION
from strongroom.sources.files.unpacking.contents import Contents
from strongroom.sources.files.unpacking.membernames import MemberNames, plain_name, refused, told
from strongroom.sources.files.unpacking.sparsemaps import SparseMap
from strongroom.sources.notes import Notes, printable
from strongroom.sources.reading import Chunk

_SET_ID = 0o6000
_MAGICS = {b"ustar\x0000", b"ustar  \0"}
_LONG = {b"L": b"path", b"K": b"linkpath"}
_KNOWN = frozenset(
    b"path linkpath size uid gid uname gname mtime atime ctime SCHILY.acl.access SCHILY.acl.default "
    b"GNU.sparse.major GNU.sparse.minor GNU.sparse.name GNU.sparse.realsize".split()
)
_ATTRIBUTE = b"SCHILY.xattr."
_CAPABILITY = b"SCHILY.xattr.security.capability"
_NUMBERS = (b"size", b"uid", b"gid", b"GNU.sparse.realsize")
_LARGEST = (1 << 62) - 1


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most, as its manifest tells. `special`: devices, and what gives programs rights."""

    members: int
    size_bytes: int
    special: bool = False
    is_tree: bool = True
    """Whether it is the archive of one folder or file: all names begin with `./`, and every folder comes before what is in it."""


@dataclass(frozen=True)
class Guarded:
    """What a whole archive held. `content_sum`: see Contents. `has_root`: whether the folder itself is a member."""

    members: int
    size_bytes: int
    folders: int
    has_root: bool
    rights: Notes
    """Programs with set-id bits or capabilities."""
    content_sum: int | None


class Guard(TarBlocks):
    """A sink before tar's. Raises ArchiveRefused, from `write` before tar has seen the header, and from `finish`."""

    def __init__(self, limits: Limits, contents: Contents) -> None:
        """Begin before the first header."""
        super().__init__()
        self._limits = limits
        self._contents = contents
        self._names = MemberNames(leads_folders=limits.is_tree)
        self._extension: Header | None = None
        self._records: dict[bytes, bytes] = {}
        self._was_pax = False
        self._map: SparseMap | None = None
        self._members = 0
        self._folders = 0
        self._size_bytes = 0
        self._has_root = False
        self._rights = Notes()

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        try:
            super().write(chunk)
        except StrongroomError as error:
            if error.reason is not Reason.VerificationFailed:
                raise
            raise refused(error.message) from error

    def finish(self) -> Guarded:
        """What was in it: all that the manifest tells of."""
        if not self.is_ended:
            raise refused(f"it was cut after {self._members} members")
        if self._limits.is_tree and not self._has_root and self._members != 1:
            raise refused("it is neither of one folder nor of one file")
        found, wanted = (self._members, self._size_bytes), (self._limits.members, self._limits.size_bytes)
        if found != wanted:
            raise refused(f"it holds {_counted(*found)}, and its manifest tells of {_counted(*wanted)}")
        return Guarded(
            members=self._members,
            size_bytes=self._size_bytes,
            folders=self._folders,
            has_root=self._has_root,
            rights=self._rights,
            content_sum=self._contents.total,
        )

    def take(self, unit: bytes) -> None:
        """See TarBlocks."""
        if self._extension is not None:
            self._take_extension(self._extension, unit)
        elif self._map is not None:
            data = self._map.take(unit)
            if data is not None:
                self._map, self.skip = None, data
        elif unit == ZEROS:
            if self._records:
                raise refused("its end mark follows an extended header")
            self.take_zeros()
        else:
            self.refuse_late_header()
            self._take_header(unit)

    def pass_content(self, chunk: Chunk, position: int, length: int) -> None:
        """See TarBlocks."""
        self._contents.add(chunk, position, length)

    def _take_header(self, block: bytes) -> None:
        header = parse_header(block)
        if block[257:265] not in _MAGICS or sum(block) - sum(block[148:156]) + 8 * 0x20 != _checksum(block):
            raise refused("a header is of another format")
        if header.kind == b"x" or header.kind in _LONG:
            self._begin_extension(header)
        else:
            self._take_member(header)

    def _begin_extension(self, header: Header) -> None:
        is_pax = header.kind == b"x"
        if self._records and (is_pax or self._was_pax or _LONG[header.kind] in self._records):
            raise refused("an extended header follows another one")
        if not 0 < header.size_bytes <= LONGEST_EXTENSION:
            raise refused(f"an extended header has {header.size_bytes} bytes")
        self._was_pax = is_pax
        self._extension, self.wanted = header, padded(header.size_bytes)

    def _take_extension(self, header: Header, body: bytes) -> None:
        self._extension, self.wanted = None, BLOCK_BYTES
        body = body[: header.size_bytes]
        if header.kind in _LONG:
            self._records[_LONG[header.kind]] = body.rstrip(b"\0")
            return
        self._records = parse_records(body)
        for keyword, value in self._records.items():
            self._check_record(keyword, value)

    def _check_record(self, keyword: bytes, value: bytes) -> None:
        if keyword not in _KNOWN and not keyword.startswith(_ATTRIBUTE):
            raise refused(f"an extended header has a record {told(keyword)}, which is not known")
        if not value and keyword in _KNOWN:
            raise refused(f"an extended header has a record {told(keyword)} that says nothing")
        if keyword in _NUMBERS and not (value.isdigit() and int(value) <= _LARGEST):
            raise refused(f"an extended header has {told(keyword)} {told(value)}")
        if keyword in {b"path", b"linkpath", b"GNU.sparse.name"} and b"\0" in value:
            raise refused(f"{told(value)} is no name that a file can have")

    def _take_member(self, header: Header) -> None:
        records, self._records = self._records, {}
        content = self._content_bytes(header, records)
        given = records.get(b"GNU.sparse.name") or records.get(b"path") or header.name
        name = plain_name(given)
        if self._limits.is_tree and not (given == b"." or given.startswith(b"./")):
            raise refused(f"{told(given)} does not begin with ./ as all in it")
        self._members += 1
        match header.kind:
            case b"0" | b"\0":
                self._take_file(header, records, given, content)
            case b"1":
                self._names.refuse_far_link(name, plain_name(records.get(b"linkpath") or header.link))
                self._names.add_other(name)
            case b"5":
                self._take_folder(name)
            case b"2" | b"6":
                self._names.add_other(name)
            case b"3" | b"4" if self._limits.special:
                self._names.add_other(name)
            case b"3" | b"4":
                raise refused(f"{told(name)} is a device (allowSpecialFiles)")
            case _:
                raise refused(f"{told(name)} is of the unknown type {printable(header.kind)}")
        if content and header.kind not in {b"0", b"\0"}:
            raise refused(f"{told(name)} is no file and has {content} bytes")
        self._refuse_excess()

    def _take_folder(self, name: bytes) -> None:
        self._names.add_folder(name)
        self._folders += 1
        self._has_root = self._has_root or not name

    def _take_file(self, header: Header, records: dict[bytes, bytes], given: bytes, content: int) -> None:
        name = plain_name(given)
        if not name or given.endswith(b"/"):
            raise refused(f"{told(given)} is a file with the name of a folder")
        self._names.add_file(name)
        if header.mode & _SET_ID or _CAPABILITY in records:
            self._rights.add(printable(name))
        if self._is_sparse(name, records):
            size = int(records[b"GNU.sparse.realsize"])
            self._map = SparseMap(name, content, size)
            self._contents.skip(name)
        else:
            size = content
            self.skip = padded(content)
            self._contents.begin(content)
        self._size_bytes += size

    def _is_sparse(self, name: bytes, records: dict[bytes, bytes]) -> bool:
        told_of = [keyword for keyword in records if keyword.startswith(b"GNU.sparse.")]
        version = (records.get(b"GNU.sparse.major"), records.get(b"GNU.sparse.minor"))
        if told_of and (version != (b"1", b"0") or len(told_of) != 4):
            raise refused(f"{told(name)} is a sparse file of another format")
        return bool(told_of)

    def _content_bytes(self, header: Header, records: dict[bytes, bytes]) -> int:
        """Of what follows in the archive. Two headers that differ in it mean two different archives."""
        if b"size" not in records:
            return header.size_bytes
        size = int(records[b"size"])
        if header.size_bytes not in {0, size}:
            raise refused(f"{told(header.name)} has two different sizes")
        return size

    def _refuse_excess(self) -> None:
        """At once, and not when the disk is full."""
        if self._members > self._limits.members or self._size_bytes > self._limits.size_bytes:
            wanted = _counted(self._limits.members, self._limits.size_bytes)
            raise refused(f"it holds more than the {wanted} that its manifest tells of")


def _checksum(block: bytes) -> int:
    return int(block[148:156].strip(b" \0") or b"0", 8)


def _counted(members: int, size_bytes: int) -> str:
    return f"{members} members with {size_bytes} bytes"
