"""What GNU tar says of single files while it archives (its messages in the C locale, names quoted as in C)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from strongroom.api.errors import excerpt
from strongroom.sources.notes import Notes, printable

_LINE = re.compile(rb'[^" ]*tar: "((?:[^"\\]|\\.)*)": (.*)', re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_CHANGED = re.compile(rb"file changed as we read it|File shrank by \d+ bytes?; padding with zeros")
# What the system says of a name that is gone, below what is no folder any more, or has become a symbolic link or a socket.
_GONE = rb"(?:No such file or directory|Not a directory|Too many levels of symbolic links|No such device or address)"
_ABSENT = re.compile(rb"File removed before we read it|Cannot (?:stat|open|readlink): " + _GONE)
_TOUCHED = re.compile(rb"Warning: Cannot \w+: " + _GONE)
_SKIPPED = re.compile(rb"(socket|door) ignored")
_EPILOGUE = re.compile(rb"[^ ]*tar: Exiting with failure status due to previous errors")
_LONGEST_LINE = 32 << 10


@dataclass
class Messages:
    """Takes tar's stderr as it comes. `absent` counts files that were announced and are not in the archive.

    `failure` is the first message that means that something could not be read, or that is not known. `rename` turns a name
    that tar was given into the one in the archive.
    """

    rename: Callable[[bytes], bytes] = bytes
    changed: Notes = field(default_factory=Notes)
    skipped: Notes = field(default_factory=Notes)
    absent: int = 0
    absent_names: int = 0
    """Sum of the hashes of their names, as in Walk."""
    failure: str | None = None
    _rest: bytes = b""
    _last: bytes = b""

    def hear(self, chunk: bytes) -> None:
        """The next bytes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[:_LONGEST_LINE]
        for line in lines:
            self._take(line)

    def close(self) -> None:
        """That was all."""
        if self._rest:
            self._take(self._rest)
        self._rest = b""

    def explains(self, exit_code: int) -> bool:
        """Whether what was said accounts for the exit code (1: some files differ; 2: some could not be read)."""
        if self.failure is not None:
            return False
        if exit_code == 2:
            return self.absent > 0
        return exit_code == 0 or (exit_code == 1 and self.changed.count > 0)

    def _take(self, line: bytes) -> None:
        found = _LINE.fullmatch(line)
        if found is None:
            if line and not _EPILOGUE.fullmatch(line):
                self._fail(printable(line))
            return
        name, words = self.rename(_unquote(found[1])), found[2]
        if _CHANGED.fullmatch(words) or _TOUCHED.fullmatch(words):
            self._note_change(name, "changed while it was read")
        elif _ABSENT.fullmatch(words):
            self._leave_out(name)
            self._note_change(name, "vanished before it was read")
        elif kind := _SKIPPED.fullmatch(words):
            self._leave_out(name)
            self.skipped.add(f"{printable(name)}: {kind[1].decode()}")
        else:
            self._fail(f"{printable(name)}: {printable(words)}")

    def _note_change(self, name: bytes, what: str) -> None:
        """Tar may say of one file that it shrank and that it changed, one after the other."""
        if name != self._last:
            self.changed.add(f"{printable(name)}: {what}")
        self._last = name

    def _leave_out(self, name: bytes) -> None:
        self.absent += 1
        self.absent_names += hash(name)

    def _fail(self, words: str) -> None:
        self.failure = self.failure or excerpt(words)


def _unquote(name: bytes) -> bytes:
    def character(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code, 8)]) if len(code) == 3 else _LETTERS.get(code, code)

    return _ESCAPE.sub(character, name)
