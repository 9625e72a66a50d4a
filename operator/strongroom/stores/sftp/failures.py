"""What a server's refusals mean. SFTP has few words: the rest is found out by another question."""

from contextlib import suppress
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.stores.sftp import wire
from strongroom.stores.sftp.session import Session, StatusError

_FULL_WORDS = ("no space", "quota", "disk full", "disc full")
_LEAST_BYTES = 1 << 20
_READ_ONLY = 1
_TEXT = 120


@dataclass(frozen=True)
class Space:
    """What a server says of the file system: free bytes for the account, and whether nothing can be written."""

    free_bytes: int
    read_only: bool


def find_space(session: Session, path: str) -> Space | None:
    """None where the server does not tell."""
    if wire.STATVFS not in session.extensions:
        return None
    try:
        answer = session.ask_extension(wire.STATVFS, wire.text(path))
    except StatusError:
        return None
    _, unit, _, _, available, _, _, _, _, flags, _ = (answer.long() for _ in range(11))
    return Space(available * unit, bool(flags & _READ_ONLY))


def is_missing(error: StatusError) -> bool:
    """Whether nothing of that name is there."""
    return error.code == wire.NO_SUCH_FILE


def explain_status(error: StatusError, what: str, session: Session, root: str) -> StrongroomError:
    """The reason for a refusal while `what` was done. A bare failure of a full or read-only file system is one of that."""
    text = f"sftp.path {root}: {what}"
    words = f"({excerpt(error.words, _TEXT) or f'code {error.code}'})"
    if error.code in {wire.NO_SPACE, wire.QUOTA} or any(each in error.words.lower() for each in _FULL_WORDS):
        return StrongroomError(
            Reason.StoreFull, f"{text}: there is no room left, or a quota is used up {words}"
        )
    if error.code == wire.WRITE_PROTECT:
        return StrongroomError(Reason.StoreReadOnly, f"{text}: the file system is read-only {words}")
    if error.code == wire.PERMISSION_DENIED:
        return StrongroomError(Reason.StoreDenied, f"{text}: the server does not permit it {words}")
    space = None
    if error.code == wire.FAILURE and session.alive:
        with suppress(StrongroomError):
            space = find_space(session, root)
    if space is not None and space.read_only:
        return StrongroomError(Reason.StoreReadOnly, f"{text}: the file system is read-only {words}")
    if space is not None and space.free_bytes < _LEAST_BYTES:
        return StrongroomError(Reason.StoreFull, f"{text}: there is no room left {words}")
    return StrongroomError(Reason.StoreFailed, f"{text}: the server refuses it {words}")
