"""Which keys are allowed: names joined by slashes that no medium can take for anything else."""

import re

from strongroom.api.errors import Reason, StrongroomError

UNFINISHED_PREFIX = ".strongroom-"
"""Begins the name of every file that is not committed. No key has a segment that begins so."""

PASSING_PREFIX = "_probe/"
"""Begins keys that live for a moment, so that no medium protects them. No namespace's name begins so."""

LOST_AND_FOUND = "lost+found"
"""A folder that many file systems keep at their root for their own repairs, closed to everybody else. No key begins so."""

_SEGMENT = re.compile(r"[^/\x00-\x1f\x7f\\\ud800-\udfff]{1,255}")
_LENGTH = 1024


def checked(key: str) -> str:
    """The key itself if it is one: segments of 1 to 255 bytes of UTF-8 without control characters and backslashes.

    InternalError otherwise: keys are built from checked names, so a bad one is a fault of ours.
    """
    if not is_key(key):
        raise StrongroomError(Reason.InternalError, f"{key[:200]!r} is not a key that a store may hold")
    return key


def is_key(text: str) -> bool:
    """Whether that can be a key; files that others have laid into a store often cannot."""
    segments = text.split("/")
    return all(map(_allowed, segments)) and len(text.encode()) <= _LENGTH and segments[0] != LOST_AND_FOUND


def _allowed(segment: str) -> bool:
    return (
        _SEGMENT.fullmatch(segment) is not None
        and len(segment.encode()) <= 255
        and segment not in {".", ".."}
        and not segment.startswith(UNFINISHED_PREFIX)
    )
