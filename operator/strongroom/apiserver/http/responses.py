"""Sending answers over ASGI: one whole body, or a stream of lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from strongroom.apiserver.http.negotiation import JSON, YAML
from strongroom.apiserver.http.requests import Send
from strongroom.apiserver.storage.records import encode


@dataclass
class Response:
    """A whole answer."""

    body: bytes
    code: int = 200
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    async def send(self, send: Send) -> None:
        """Write head and body."""
        await send_head(send, self.code, self.media_type, self.headers, self.warnings, length=len(self.body))
        await send({"type": "http.response.body", "body": self.body})


def build_response(obj: Any, code: int = 200, media_type: str = JSON) -> Response:
    """An object as an answer."""
    return Response(write(obj, media_type), code, media_type)


def write(obj: Any, media_type: str) -> bytes:
    """The object in the negotiated encoding."""
    if media_type == YAML:
        return yaml.safe_dump(obj, sort_keys=False, allow_unicode=True).encode()
    return encode(obj)


def _warning(text: str) -> str:
    """RFC 7234 warning value with code 299; unprintable characters may not travel in a header."""
    safe = "".join(c if " " <= c < "\x7f" else "?" for c in text)
    return '299 - "{}"'.format(safe.replace("\\", "\\\\").replace('"', '\\"'))


async def send_head(
    send: Send,
    code: int,
    media_type: str,
    headers: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
    length: int | None = None,
) -> None:
    """Write the status line and headers; without a length the body is chunked."""
    pairs = [("content-type", media_type), ("cache-control", "no-cache, private"), *(headers or {}).items()]
    pairs += [("warning", _warning(text)) for text in warnings]
    if length is not None:
        pairs.append(("content-length", str(length)))
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in pairs]
    await send({"type": "http.response.start", "status": code, "headers": raw})
