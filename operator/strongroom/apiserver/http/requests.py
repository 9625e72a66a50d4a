"""One request, read whole and within bounds."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, QueryParams

from strongroom.apiserver.http import statuses

LARGEST_BODY_BYTES = 3 * 1024 * 1024
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class User:
    """Who asks, as authentication found."""

    name: str
    groups: tuple[str, ...]
    role: str = ""
    """A fixed role; empty for users whose rights are objects."""
    uid: str = ""


@dataclass(frozen=True)
class Request:
    """What came in; `body` is empty where the method has none."""

    method: str
    path: str
    query: QueryParams
    headers: Headers
    body: bytes
    user: User

    @property
    def media_type(self) -> str:
        """The body's media type without parameters; what has none is JSON, as the server and its clients hold."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower() or "application/json"


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The body, refused with 413 as soon as it is known to be too large."""
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > LARGEST_BODY_BYTES:
        raise statuses.too_large(LARGEST_BODY_BYTES)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > LARGEST_BODY_BYTES:
            raise statuses.too_large(LARGEST_BODY_BYTES)
        more = message.get("more_body", False)
    return b"".join(chunks)
