"""Reading a watch: one JSON document per line, errors inside the stream."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp

from strongroom.kube.errors import Unavailable, error_from_status

LONGEST_EVENT = 4 * 2**20
"""An object is at most some 1.5 MiB in etcd; a longer line is no event."""


async def events(stream: aiohttp.StreamReader) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    """The watch events of an open response; raises what an ERROR event says (410: Gone)."""
    async for line in _lines(stream):
        event = _parsed(line)
        kind, content = event["type"], event["object"]
        if kind == "ERROR":
            raise error_from_status(int(content.get("code") or 500), content)
        yield kind, content


async def _lines(stream: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
    # Not the stream's readline: its limit is the buffer's, and events can be longer.
    pending = bytearray()
    async for chunk in stream.iter_any():
        pending += chunk
        *whole, rest = pending.split(b"\n")
        pending = rest
        if len(pending) > LONGEST_EVENT:
            raise Unavailable(0, "", f"a watch event is longer than {LONGEST_EVENT} bytes")
        for line in whole:
            if line.strip():
                yield bytes(line)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise Unavailable(0, "", "the watch stream holds a line that is no event") from error
    if not (isinstance(event, dict) and "type" in event and isinstance(event.get("object"), dict)):
        raise Unavailable(0, "", "the watch stream holds a line that is no event")
    return event
