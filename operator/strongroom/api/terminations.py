"""A worker's result as the termination message of its pod: 4,096 bytes at most.

Whole if it fits; else deflated; else what matters of it, and the digest of the whole, which is then the last line of the log.
Source: https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass

LARGEST_MESSAGE_BYTES = 4096
LARGEST_INFLATED_BYTES = 1 << 20
_DEFLATED = "deflated:"
_LOGGED = "logged:"


@dataclass(frozen=True)
class InLog:
    """The result is the log's last line; this is its SHA-256 and what stands in for it should the log be gone."""

    sha256: str
    brief: str


def pack_result(text: str, brief: str) -> str:
    """The termination message of a result (JSON). `brief` is a result, too, without what the manifest has anyway."""
    if len(text.encode()) <= LARGEST_MESSAGE_BYTES and text.startswith("{"):
        return text
    if len(deflated := _deflate(text)) <= LARGEST_MESSAGE_BYTES:
        return deflated
    digest = hashlib.sha256(text.encode()).hexdigest()
    if len(packed := f"{_LOGGED}{digest}:{_deflate(brief)}") <= LARGEST_MESSAGE_BYTES:
        return packed
    raise ValueError("the brief result does not fit a termination message")


def needs_log(message: str) -> bool:
    """Whether a packed result must be written to the log, too."""
    return message.startswith(_LOGGED)


def unpack_result(message: str) -> str | InLog | None:
    """The result, or where it is; None if the message is none of ours: the end of a log, a kill."""
    try:
        if message.startswith(_LOGGED):
            digest, packed = message.removeprefix(_LOGGED).split(":", 1)
            return InLog(digest, _inflate(packed))
        if message.startswith(_DEFLATED):
            return _inflate(message)
        return message if isinstance(json.loads(message), dict) else None
    except (ValueError, zlib.error):
        return None


def find_in_log(where: InLog, log: str) -> str:
    """The whole result from the end of a log; the brief one if it is not there."""
    for line in reversed(log.splitlines()):
        if hashlib.sha256(line.encode()).hexdigest() == where.sha256:
            return line
    return where.brief


def _deflate(text: str) -> str:
    return _DEFLATED + base64.b85encode(zlib.compress(text.encode(), 9)).decode()


def _inflate(message: str) -> str:
    """Bounded: a pod's message may be anybody's."""
    inflating = zlib.decompressobj()
    content = inflating.decompress(base64.b85decode(message.removeprefix(_DEFLATED)), LARGEST_INFLATED_BYTES)
    if not inflating.eof:
        raise ValueError("the deflated result is incomplete or too large")
    return content.decode()
