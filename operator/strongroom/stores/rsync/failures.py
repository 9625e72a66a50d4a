"""What rsync's exit codes and words mean (rsync(1), EXIT VALUES). Words are the server's language; the system's error numbers are not."""

import re
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.stores.ssh.access import Access
from strongroom.stores.ssh.failures import explain, is_known

_TEXT = 240


@dataclass(frozen=True)
class _Row:
    """A reason with its text, and by what it is known: words, numbers of the system's errors, or exit codes."""

    reason: Reason
    text: str
    words: str = ""
    numbers: frozenset[int] = frozenset()
    codes: frozenset[int] = frozenset()


_NUMBER = re.compile(r" ?\((\d+)\)$", re.MULTILINE)
_SUMMARIES = ("rsync error:", "connection unexpectedly closed")
_FULL = frozenset({27, 28, 122})
_WRITE = 11
"""Error in file I/O, all that a server says that dies of a full disk."""
_LOST = frozenset({10, 12, 30, 35, 255})
_ROWS = (
    _Row(Reason.StoreFull, "there is no room left, or a quota is used up", numbers=_FULL),
    _Row(
        Reason.StoreFailed,
        "the key was swept away while it was written",
        words=r"temp-dir|receiver option path does not exist",
    ),
    _Row(
        Reason.StoreMissing,
        "does not exist (it is never made: is its disk mounted?)",
        words=r"change_dir .*\(2\)$|/ No such file or directory$",
    ),
    _Row(Reason.StoreNotDirectory, "is not a folder", words=r"change_dir .*\(20\)$"),
    _Row(Reason.StoreReadOnly, "the file system is read-only", numbers=frozenset({30})),
    _Row(Reason.StoreDenied, "the server does not permit it", numbers=frozenset({1, 13})),
    _Row(
        Reason.StoreDenied,
        "the server has no rsync",
        words=r"rsync: (command )?not found|rsync: No such file",
    ),
    _Row(Reason.StoreDenied, "rrsync does not permit it", words=r"rrsync error"),
    _Row(
        Reason.StoreUnreachable,
        "cannot be reached, or the connection broke off",
        codes=_LOST,
    ),
    _Row(Reason.StoreFailed, "the rsync there, or here, is too old", codes=frozenset({1, 2, 4})),
    _Row(
        Reason.StoreFull,
        "it could not be written there: most likely no room is left, or a quota is used up",
        codes=frozenset({_WRITE}),
    ),
)
"""The first that fits. Codes: socket, protocol stream, two timeouts, and what ssh ends with; then syntax and protocol; what is left of errors in writing."""


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    output: bytes
    errors: str


class RsyncError(StrongroomError):
    """A run that failed, with its exit code and all that rsync said of it."""

    def __init__(self, reason: Reason, message: str, ended: Ended) -> None:
        """Keep both beside the text."""
        super().__init__(reason, message)
        self.code = ended.code
        self.said = ended.errors


def explain_run(ended: Ended, access: Access, *, to_here: bool) -> RsyncError:
    """The reason for a failure. `to_here`: what was written was written on this machine."""
    said, code = ended.errors, ended.code
    if code in _LOST and is_known(said):
        failure = explain(said, access)
        return RsyncError(failure.reason, failure.message, ended)
    reason, words = _judge(said, code, to_here=to_here)
    place = f"rsync.host {access.server.host}:{access.server.port}" if reason is Reason.StoreUnreachable else f"rsync.path {access.server.path}"  # fmt: skip
    foreign = excerpt(_find_cause(said.replace(str(access.folder), "…")), _TEXT)
    told = f"{foreign}; rsync's exit code {code}" if foreign else f"rsync's exit code {code}"
    return RsyncError(reason, f"{place}: {words} ({told})", ended)


def _find_cause(said: str) -> str:
    """The one line of rsync's that says why: the first with a number of the system's errors, else the last that is no summary."""
    lines = [re.sub(r"^rsync: (\[\w+\] )?", "", line.strip()) for line in said.splitlines()]
    telling = [line for line in lines if line and not line.startswith(_SUMMARIES)]
    numbered = [line for line in telling if _NUMBER.search(line)]
    cause = (numbered[:1] or telling[-1:] or [""])[0]
    return _NUMBER.sub("", cause)


def _judge(said: str, code: int, *, to_here: bool) -> tuple[Reason, str]:
    numbers = {int(each) for each in _NUMBER.findall(said)}
    if to_here and numbers & _FULL:
        return (
            Reason.StoreFull,
            "there is no room left in the worker's scratch folder, where files wait whole",
        )
    for row in _ROWS:
        if (
            numbers & row.numbers
            or code in row.codes
            or (row.words and re.search(row.words, said, re.MULTILINE))
        ):
            return row.reason, row.text
    return Reason.StoreFailed, "not all could be transferred"
