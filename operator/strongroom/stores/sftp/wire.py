"""The words of SFTP version 3 (draft-ietf-secsh-filexfer-02) and of OpenSSH's extensions (its file PROTOCOL, section 4)."""

import struct
from dataclasses import dataclass
from typing import NamedTuple

VERSION = 3
INIT, VERSION_REPLY = 1, 2
OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT = 3, 4, 5, 6, 7, 8
SETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, STAT, RENAME = 9, 11, 12, 13, 14, 15, 17, 18
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
EXTENDED, EXTENDED_REPLY = 200, 201

OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE = 0, 1, 2, 3, 4
OP_UNSUPPORTED, WRITE_PROTECT, NO_SPACE, QUOTA = 8, 12, 14, 15
"""The last three are later versions'; some servers use them all the same."""

TO_READ, TO_WRITE, CREATE, EXCLUSIVE = 0x01, 0x02, 0x08, 0x20
"""Flags of OPEN."""
HARDLINK, FSYNC, STATVFS, LIMITS = b"hardlink@openssh.com", b"fsync@openssh.com", b"statvfs@openssh.com", b"limits@openssh.com"  # fmt: skip

_SIZE, _OWNER, _PERMISSIONS, _TIMES, _EXTENDED = 0x01, 0x02, 0x04, 0x08, 0x80000000


class Attributes(NamedTuple):
    """What a server tells of a file. Without its type it counts as none that is ours."""

    size: int
    mode: int
    modified: int


@dataclass
class Reader:
    """Takes the fields of one packet one after another. Raises ValueError or struct.error where it ends early."""

    rest: memoryview

    def number(self) -> int:
        value: int = struct.unpack_from(">I", self.rest)[0]
        self.rest = self.rest[4:]
        return value

    def long(self) -> int:
        value: int = struct.unpack_from(">Q", self.rest)[0]
        self.rest = self.rest[8:]
        return value

    def data(self) -> memoryview:
        size = self.number()
        if size > len(self.rest):
            raise ValueError("a packet ends early")
        value, self.rest = self.rest[:size], self.rest[size:]
        return value

    def text(self) -> str:
        return bytes(self.data()).decode(errors="surrogateescape")

    def attributes(self) -> Attributes:
        flags = self.number()
        size = self.long() if flags & _SIZE else 0
        if flags & _OWNER:
            self.long()
        mode = self.number() if flags & _PERMISSIONS else 0
        modified = (self.number(), self.number())[1] if flags & _TIMES else 0
        if flags & _EXTENDED:
            for _ in range(self.number()):
                self.data(), self.data()
        return Attributes(size, mode, modified)


def number(value: int) -> bytes:
    """Four bytes."""
    return struct.pack(">I", value)


def long(value: int) -> bytes:
    """Eight bytes."""
    return struct.pack(">Q", value)


def text(value: str | bytes) -> bytes:
    """A string with its length before it."""
    encoded = value.encode(errors="surrogateescape") if isinstance(value, str) else value
    return number(len(encoded)) + encoded


NO_ATTRIBUTES = number(0)


def permissions(mode: int) -> bytes:
    """Attributes that say the mode alone."""
    return number(_PERMISSIONS) + number(mode)


def times(seconds: int) -> bytes:
    """Attributes that say the times alone."""
    return number(_TIMES) + number(seconds) + number(seconds)
