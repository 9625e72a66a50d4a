"""One HTTP/1.1 request, read strictly: what an Engine and we might understand differently is refused (RFC 9112)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_HEAD_BYTES = 16 << 10
MOST_BODY_BYTES = 256 << 10
# No percent sign and no empty or dotted segment: what matches can be written in one way only.
_LINE = re.compile(
    rb"(GET|HEAD|POST) (/_ping|(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)+)(?:\?([A-Za-z0-9_.=&%,+:-]*))? HTTP/1\.1"
)
_HEADER = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|)[ \t]*")
_LENGTH = re.compile(r"[0-9]{1,6}")
_REFUSED = {"transfer-encoding", "expect", "te", "trailer"}


class Refused(Exception):  # noqa: N818  says what happens
    """The request is not passed on."""

    def __init__(self, status: int, words: str) -> None:
        """An HTTP status, and words for the worker."""
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Head:
    """What stands before the body. Names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return int(self.headers.get("content-length", "0"))

    @property
    def upgrades(self) -> bool:
        """Whether the connection is to become a stream in both directions."""
        return "upgrade" in self.headers


def parse_head(head: bytes) -> Head:
    """Read everything before the empty line. Raises Refused."""
    first, *lines = head.split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise Refused(400, "the request line is not one that this gate knows")
    headers: dict[str, str] = {}
    for each in lines:
        header = _HEADER.fullmatch(each)
        if header is None:
            raise Refused(400, "a header cannot be understood")
        name = header[1].decode().lower()
        if name in headers or name in _REFUSED:
            raise Refused(400, f"the header {name} is not passed")
        headers[name] = header[2].decode()
    parsed = Head(line[1].decode(), line[2].decode(), (line[3] or b"").decode(), headers)
    _check(parsed)
    return parsed


def _check(head: Head) -> None:
    if "host" not in head.headers:
        raise Refused(400, "there is no Host")
    if not _LENGTH.fullmatch(head.headers.get("content-length", "0")) or head.length > MOST_BODY_BYTES:
        raise Refused(413, "the body is too long, or of unknown length")
    if head.method != "POST" and head.length:
        raise Refused(400, "only POST has a body")
    if head.upgrades and (
        head.headers["upgrade"].lower() != "tcp" or head.headers.get("connection", "").lower() != "upgrade"
    ):
        raise Refused(400, "this upgrade is not known")
