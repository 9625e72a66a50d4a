"""Archives that nobody's backup holds, made block by block: each tries to get out, to get in, or to take all the room."""

from collections.abc import Iterable
from dataclasses import dataclass, field

OUTSIDE = "/tmp/strongroom-canary"
"""What archives try to write to; tests put a folder of their own in its place."""


def number(value: int, length: int) -> bytes:
    return b"%0*o\0" % (length - 1, value)


def header(
    name: bytes,
    kind: bytes = b"0",
    *,
    size: int | bytes = 0,
    link: bytes = b"",
    mode: int | bytes = 0o644,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    checksum: int = 0,
) -> bytes:
    """One header block; fields given as bytes are written as they are."""

    def digits(value: int | bytes, length: int) -> bytes:
        return value.ljust(length, b"\0") if isinstance(value, bytes) else number(value, length)

    block = bytearray(512)
    for start, content in (
        (0, name),
        (100, digits(mode, 8)),
        (108, number(0, 8)),
        (116, number(0, 8)),
        (124, digits(size, 12)),
        (136, number(1_000_000_000, 12)),
        (148, b" " * 8),
        (156, kind),
        (157, link),
        (257, magic),
        (345, prefix),
    ):
        block[start : start + len(content)] = content
    block[148:156] = b"%06o\0 " % (sum(block) + checksum)
    return bytes(block)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def file(name: bytes, content: bytes = b"evil", **more: int | bytes) -> bytes:
    return header(name, size=len(content), **more) + padded(content)  # type: ignore[arg-type]


def record(keyword: bytes, value: bytes) -> bytes:
    rest = len(keyword) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, keyword, value)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    body = b"".join(record(*each) for each in records)
    return header(b"./PaxHeaders/x", kind, size=len(body)) + padded(body)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    body = name + b"\0"
    return header(b"././@LongLink", kind, size=len(body), magic=b"ustar  \0") + padded(body)


def sparse(pieces: bytes, data: bytes, real: int, name: bytes = b"./s", **more: bytes) -> bytes:
    """A sparse file whose map says what is given."""
    content = padded(pieces) + data
    records = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": name}
    records |= {b"GNU.sparse.realsize": b"%d" % real}
    records |= {key.replace("_", ".").encode(): value for key, value in more.items()}
    return pax(*records.items()) + header(b"./GNUSparseFile.1/s", size=len(content)) + padded(content)


ROOT = header(b"./", b"5", mode=0o755)
END = bytes(1024)


@dataclass(frozen=True)
class Hostile:
    """`members` and `size_bytes`: what its manifest tells; `says`: what the refusal is about."""

    name: str
    blocks: bytes
    says: str
    members: int = 2
    size_bytes: int = 4
    end: bytes = END
    special: bool = False
    is_tree: bool = True

    @property
    def archive(self) -> bytes:
        return self.blocks + self.end


@dataclass
class Corpus:
    """Every archive, with names that lead to `outside`."""

    outside: bytes
    found: list[Hostile] = field(default_factory=list)

    def all(self) -> Iterable[Hostile]:
        yield from self._names()
        yield from self._links()
        yield from self._kinds()
        yield from self._numbers()
        yield from self._sparse()
        yield from self._shapes()

    def _names(self) -> Iterable[Hostile]:
        up = b"./" + b"../" * 12 + self.outside[1:] + b"/x"
        yield Hostile("climbing", ROOT + file(up), "leads elsewhere")
        yield Hostile("climbing inside", ROOT + file(b"./a/../../x"), "leads elsewhere")
        yield Hostile("absolute", ROOT + file(self.outside + b"/x"), "does not begin with ./|absolute")
        yield Hostile(
            "absolute by pax", ROOT + pax((b"path", self.outside + b"/x")) + file(b"./x"), "absolute"
        )
        yield Hostile("climbing by pax", ROOT + pax((b"path", up)) + file(b"./x"), "leads elsewhere")
        yield Hostile("climbing by a long name", ROOT + long_name(up) + file(b"./x"), "leads elsewhere")
        yield Hostile("climbing by prefix", ROOT + file(b"x", prefix=b"./../.."), "leads elsewhere")
        yield Hostile("absolute for a config", file(self.outside + b"/x"), "absolute", 1, is_tree=False)
        yield Hostile("climbing for a config", file(b"etc/../../x"), "leads elsewhere", 1, is_tree=False)
        yield Hostile("beside the tree", ROOT + file(b"x"), "does not begin with ./")
        yield Hostile("a hidden NUL", ROOT + pax((b"path", b"./a\0/../b")) + file(b"./x"), "no name")
        yield Hostile("no name", ROOT + file(b""), "does not begin|no name")
        yield Hostile("a name that says nothing", ROOT + pax((b"path", b"")) + file(b"./x"), "says nothing")
        yield Hostile("a restore's own name", ROOT + file(b"./.strongroom-x"), "restores use themselves")
        yield Hostile("a file named as a folder", ROOT + file(b"./x/"), "name of a folder")
        yield Hostile("a file for the root", file(b"./"), "name of a folder", 1)
        yield Hostile("doubled slashes", ROOT + file(b"./a//b"), "leads elsewhere")

    def _links(self) -> Iterable[Hostile]:
        out = header(b"./l", b"2", link=self.outside)
        yield Hostile("through a link", ROOT + out + file(b"./l/x"), "lies below", 3)
        relative = header(b"./l", b"2", link=b"../../../../../../.." + self.outside)
        yield Hostile("through a climbing link", ROOT + relative + file(b"./l/x"), "lies below", 3)
        yield Hostile(
            "a folder in the place of a link", ROOT + out + header(b"./l", b"5") + file(b"./l/x"), "twice", 4
        )
        yield Hostile("a file in the place of a link", ROOT + out + file(b"./l"), "twice", 3)
        folder = ROOT + header(b"./d", b"5")
        yield Hostile(
            "a link in the place of a folder",
            folder + header(b"./d", b"2", link=self.outside) + file(b"./d/x"),
            "twice",
            4,
        )
        yield Hostile("a file twice", ROOT + file(b"./a") + file(b"./a"), "File exists", 3, 8)
        yield Hostile(
            "a link in the place of a file",
            ROOT + file(b"./a") + header(b"./a", b"2", link=b"/etc"),
            "File exists",
            3,
        )
        yield Hostile(
            "through a link in the place of a file",
            ROOT + file(b"./a", b"") + header(b"./a", b"2", link=self.outside) + file(b"./a/x"),
            "lies below|File exists",
            4,
        )
        yield Hostile(
            "a hard link out", ROOT + header(b"./h", b"1", link=self.outside + b"/secret"), "absolute", 2, 0
        )
        yield Hostile(
            "a hard link up", ROOT + header(b"./h", b"1", link=b"./../../secret"), "leads elsewhere", 2, 0
        )
        yield Hostile(
            "a hard link by pax",
            ROOT + pax((b"linkpath", self.outside + b"/secret")) + header(b"./h", b"1", link=b"./a"),
            "absolute",
            2,
            0,
        )
        yield Hostile(
            "a hard link by a long name",
            ROOT + long_name(self.outside + b"/secret", b"K") + header(b"./h", b"1"),
            "absolute",
            2,
            0,
        )
        yield Hostile(
            "a hard link through a link",
            ROOT + out + header(b"./h", b"1", link=b"./l/secret"),
            "hard link",
            3,
            0,
        )
        yield Hostile(
            "a hard link to nothing", ROOT + header(b"./h", b"1", link=b"./nothing"), "Cannot hard link", 2, 0
        )
        yield Hostile(
            "a hard link to a folder", ROOT + header(b"./h", b"1", link=b"./"), "cannot be linked", 2, 0
        )
        yield Hostile(
            "a hard link to itself", ROOT + header(b"./h", b"1", link=b"./h"), "cannot be linked", 2, 0
        )
        yield Hostile(
            "a hard link with content",
            ROOT + file(b"./a") + header(b"./h", b"1", link=b"./a", size=4) + padded(b"evil"),
            "is no file",
            3,
            8,
        )
        yield Hostile(
            "through a file's link in a config",
            header(b"etc/l", b"2", link=self.outside) + file(b"etc/l/x"),
            "lies below",
            2,
            is_tree=False,
        )
        yield Hostile(
            "a file in the place of a way", file(b"etc/a/x") + file(b"etc/a"), "twice", 2, 8, is_tree=False
        )

    def _kinds(self) -> Iterable[Hostile]:
        yield Hostile("a character device", ROOT + header(b"./null", b"3"), "device", 2, 0)
        yield Hostile("a block device", ROOT + header(b"./disk", b"4"), "device", 2, 0)
        for kind in (b"7", b"S", b"D", b"M", b"V", b"N", b"X", b"g", b"A", b"Z", b"s"):
            blocks = ROOT + header(b"./x", kind, size=4) + padded(b"evil")
            yield Hostile(f"type {kind.decode()}", blocks, "unknown type")
        yield Hostile(
            "a global header with a path",
            pax((b"path", self.outside + b"/x"), kind=b"g") + file(b"./x"),
            "unknown type|begin with",
            1,
        )
        yield Hostile(
            "a folder with content", ROOT + header(b"./d", b"5", size=4) + padded(b"evil"), "is no file", 2, 0
        )

    def _numbers(self) -> Iterable[Hostile]:
        yield Hostile("a negative size", ROOT + header(b"./x", size=b"-0000001000") + bytes(512), "malformed")
        yield Hostile("a negative size in base 256", ROOT + header(b"./x", size=b"\xff" * 12), "malformed")
        yield Hostile(
            "a size with a prefix", ROOT + header(b"./x", size=b"0o4") + padded(b"evil"), "malformed"
        )
        yield Hostile("a size in base 64", ROOT + header(b"./x", size=b"+E") + padded(b"evil"), "malformed")
        yield Hostile(
            "an enormous size", ROOT + header(b"./x", size=b"\x80\0\0\0\x7f" + b"\xff" * 7), "more than"
        )
        yield Hostile("two sizes", ROOT + pax((b"size", b"1024")) + file(b"./x"), "two different sizes")
        yield Hostile("a size that is no number", ROOT + pax((b"size", b"-4")) + file(b"./x"), "size -4")
        yield Hostile(
            "a record twice", ROOT + pax((b"path", b"./a"), (b"path", b"./b")) + file(b"./x"), "twice"
        )
        yield Hostile("an unknown record", ROOT + pax((b"GNU.dumpdir", b"Yx\0")) + file(b"./x"), "not known")
        yield Hostile("a wrong checksum", ROOT + file(b"./x", checksum=1), "checksum")
        yield Hostile(
            "a checksum that only a modulus takes", ROOT + file(b"./x", checksum=65521), "another format"
        )
        yield Hostile("an old header", ROOT + file(b"./x", magic=b""), "another format")
        broken = b"999 path=./x\n"
        yield Hostile(
            "a record with a false length",
            ROOT + header(b"./p", b"x", size=len(broken)) + padded(broken) + file(b"./x"),
            "malformed",
        )
        yield Hostile(
            "two extended headers",
            ROOT + pax((b"path", b"./a")) + pax((b"path", b"./b")) + file(b"./x"),
            "follows another",
        )
        yield Hostile(
            "two kinds of extended headers",
            ROOT + long_name(b"./a") + pax((b"size", b"4")) + file(b"./x"),
            "follows another",
        )
        yield Hostile(
            "an extended header of 32 MiB", ROOT + header(b"./p", b"x", size=32 << 20), "has 33554432 bytes"
        )
        yield Hostile(
            "an extended header of nothing", ROOT + header(b"./p", b"x") + file(b"./x"), "has 0 bytes"
        )

    def _sparse(self) -> Iterable[Hostile]:
        data = bytes(512)
        for name, pieces, real, says in (
            ("beyond its end", b"1\n1000000\n512\n", 1024, "ends at"),
            ("short of its end", b"1\n0\n512\n", 4096, "ends at"),
            ("with less data than told", b"1\n0\n1536\n", 1536, "tells of"),
            ("with more data than told", b"1\n0\n1\n", 1, "tells of"),
            ("with pieces that overlap", b"2\n0\n256\n0\n256\n", 4096, "overlap"),
            ("with a map without end", b"9\n0\n", 4096, "no number|does not end"),
            ("with a map of words", b"one\n0\n512\n", 4096, "no number"),
            ("with a negative piece", b"1\n-512\n512\n", 4096, "no number"),
            ("with a million million pieces", b"1000000000000\n0\n", 4096, "pieces"),
        ):
            yield Hostile(f"sparse {name}", ROOT + sparse(pieces, data, real), says, 2, real)
        yield Hostile(
            "sparse of another version",
            ROOT + sparse(b"1\n0\n512\n", data, 512, GNU_sparse_major=b"0"),
            "another format",
            2,
            512,
        )
        yield Hostile(
            "sparse with a name that climbs",
            ROOT + sparse(b"1\n0\n512\n", data, 512, b"../../x"),
            "leads elsewhere",
            2,
            512,
        )
        old = header(b"./s", b"S", size=512, magic=b"ustar  \0") + data
        yield Hostile("sparse of the old kind", ROOT + old, "unknown type", 2, 512)
        yield Hostile(
            "sparse and larger than told", ROOT + sparse(b"1\n0\n512\n", data, 1 << 50), "more than", 2, 512
        )

    def _shapes(self) -> Iterable[Hostile]:
        yield Hostile(
            "more members than told",
            ROOT + file(b"./a") + b"".join(header(b"./%d" % n) for n in range(50)),
            "more than",
        )
        yield Hostile("fewer members than told", ROOT + file(b"./a"), "manifest tells", 3)
        yield Hostile("more bytes than told", ROOT + file(b"./a", b"x" * 5000), "more than")
        yield Hostile("fewer bytes than told", ROOT + file(b"./a", b"x"), "manifest tells")
        yield Hostile("cut before its end", ROOT + file(b"./a"), "cut after 2", end=b"")
        yield Hostile("cut after one block of zeros", ROOT + file(b"./a"), "cut after 2", end=bytes(512))
        yield Hostile(
            "cut within a header", ROOT + file(b"./a") + header(b"./b")[:100], "cut|more than", end=b""
        )
        yield Hostile(
            "cut within a content", ROOT + header(b"./a", size=4096) + bytes(100), "cut", 2, 4096, end=b""
        )
        yield Hostile(
            "a second archive behind it", ROOT + file(b"./a") + END + file(b"./b"), "follows its end mark"
        )
        yield Hostile("a block of zeros in the middle", ROOT + bytes(512) + file(b"./a"), "in the middle")
        yield Hostile("a folder that was never told", ROOT + file(b"./a/b"), "lies below")
        yield Hostile(
            "an end after an extended header",
            ROOT + file(b"./a") + pax((b"size", b"4")),
            "follows an extended",
        )
        yield Hostile("no archive at all", b"\x1f\x8b" + b"text" * 1000, "malformed|checksum")
        yield Hostile("nothing", b"", "cut after 0", 0, 0, end=b"")
