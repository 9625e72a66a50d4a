"""What GNU tar says of single files while it extracts (its messages in the C locale)."""

import re
from dataclasses import dataclass, field

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.sources.notes import Notes, printable

_LONGEST_LINE = 32 << 10
_FULL = re.compile(rb": (No space left on device|Disk quota exceeded)$")
_ATTRIBUTE = re.compile(
    rb"[^ ]*tar: (?:set|lset|fset)?\w*: Cannot set (.*)|[^ ]*tar: .*[Cc]annot set .*attribute.*"
)
_KIND = re.compile(rb"'([\w.]+)' extended attribute")
_TIME = re.compile(rb"[^ ]*tar: .*: (?:time stamp .* is .* s in the future|implausibly old time stamp .*)")
_EPILOGUE = re.compile(rb"[^ ]*tar: Exiting with failure status due to previous errors")


@dataclass
class Remarks:
    """Takes tar's stderr as it comes. `lost`: attributes that could not be given back, which is told and no failure."""

    lost: Notes = field(default_factory=Notes)
    failure: str | None = None
    is_full: bool = False
    _rest: bytes = b""

    def hear(self, chunk: bytes) -> None:
        """The next bytes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[:_LONGEST_LINE]
        for line in lines:
            self._take(line)

    def close(self) -> None:
        """That was all."""
        self._take(self._rest)
        self._rest = b""

    def raise_failure(self) -> None:
        """RestoreFailed, or NotEnoughSpace, with the first thing that went wrong."""
        if self.failure is not None:
            reason = Reason.NotEnoughSpace if self.is_full else Reason.RestoreFailed
            raise StrongroomError(reason, f"tar: {self.failure}")

    def _take(self, line: bytes) -> None:
        if not line or _EPILOGUE.fullmatch(line) or _TIME.fullmatch(line):
            return
        if _ATTRIBUTE.fullmatch(line):
            self.lost.add(excerpt(printable(line)))
        elif self.failure is None:
            self.failure = excerpt(printable(line.partition(b"tar: ")[2] or line))
            self.is_full = _FULL.search(line) is not None
