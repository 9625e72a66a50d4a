"""GET ?watch: a stream of changes that begins where the client says and never leaves one out.

A watcher holds no queue: it holds the revision it has told, and reads on from history. One that falls behind what is kept gets the
same in-stream 410 as one that comes too late.
"""

import asyncio
import random
from dataclasses import dataclass

from strongroom.apiserver import fielderrors
from strongroom.apiserver.handlers.calls import Call
from strongroom.apiserver.handlers.options import META_GROUP, parse_bool
from strongroom.apiserver.handlers.reads import parse_natural
from strongroom.apiserver.handlers.selections import Selection, read_selection
from strongroom.apiserver.handlers.watchlines import LineWriter
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import Receive, Send
from strongroom.apiserver.http.responses import send_head
from strongroom.apiserver.storage.errors import ExpiredError
from strongroom.apiserver.storage.records import Event

BOOKMARK_SECONDS = 50.0
"""kopf takes a stream that is silent for 70 s for dead."""
_DEFAULT_TIMEOUT_SECONDS = (1800.0, 3600.0)


@dataclass(frozen=True)
class WatchOptions:
    """Where to begin, what to send besides changes, and when to end."""

    revision: int
    initial: bool
    """Send everything that exists as ADDED first."""
    mark_end_of_initial: bool
    bookmarks: bool
    timeout_seconds: float


def parse_watch_options(call: Call) -> WatchOptions:
    """Check the combination as the server does. Raises 400, 422."""
    query = call.request.query
    revision = parse_natural(query.get("resourceVersion", ""), "resourceVersion")
    bookmarks = parse_bool(query.get("allowWatchBookmarks", ""))
    timeout = parse_natural(query.get("timeoutSeconds", ""), "timeoutSeconds")
    match, streaming = query.get("resourceVersionMatch", ""), query.get("sendInitialEvents")
    _check_streaming(match, streaming)
    initial = parse_bool(streaming) if streaming is not None else revision == 0
    return WatchOptions(
        revision=revision,
        initial=initial,
        mark_end_of_initial=initial and streaming is not None and bookmarks,
        bookmarks=bookmarks,
        timeout_seconds=timeout or random.uniform(*_DEFAULT_TIMEOUT_SECONDS),  # noqa: S311 - spreads load, no secret
    )


def _check_streaming(match: str, streaming: str | None) -> None:
    errors = []
    if streaming is not None and match != "NotOlderThan":
        message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        errors.append(fielderrors.forbidden("resourceVersionMatch", message))
    if streaming is None and match:
        message = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(fielderrors.forbidden("resourceVersionMatch", message))
    if errors:
        raise statuses.invalid("ListOptions", META_GROUP, "", errors)


class WatchStream:
    """The answer to a watch: sends until the client goes or loses its right, the time is over or the server stops."""

    def __init__(self, call: Call, receive: Receive) -> None:
        """Check everything that can still be refused with a proper status."""
        self._call = call
        self._receive = receive
        self._options = parse_watch_options(call)
        self._selection = read_selection(call)
        self._lines = LineWriter(call)
        self._gone = False

    async def send(self, send: Send) -> None:
        """Stream, and end properly."""
        ring = self._call.cluster.store.ring(self._call.resource.storage_name)
        await send_head(send, 200, self._lines.media_type)
        # The empty chunk makes the head go out before the first event.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        with ring.watcher() as wake:
            leaving = asyncio.create_task(self._await_departure(wake))
            try:
                await self._stream(send, wake)
            finally:
                leaving.cancel()
        if not self._gone:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _await_departure(self, wake: asyncio.Event) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        wake.set()

    async def _stream(self, send: Send, wake: asyncio.Event) -> None:
        store, clock = self._call.cluster.store, asyncio.get_running_loop().time
        end = clock() + self._options.timeout_seconds
        told = await self._send_initial(send)
        bookmark_due = clock() + BOOKMARK_SECONDS
        while not (self._gone or self._call.cluster.stopping.is_set()) and clock() < end:
            wake.clear()
            try:
                events = await store.events(self._call.resource.storage_name, told)
            except ExpiredError as error:
                await _send(send, self._lines.error(statuses.expired(str(error))))
                return
            told = store.revision
            body = b"".join(line for event in events if (line := self._line(event)))
            if self._options.bookmarks and clock() >= bookmark_due:
                body += self._lines.bookmark(told)
            if body and not self._call.is_allowed():
                return
            if body:
                bookmark_due = clock() + BOOKMARK_SECONDS
                await _send(send, body)
            await _wait(wake, min(bookmark_due if self._options.bookmarks else end, end) - clock())

    async def _send_initial(self, send: Send) -> int:
        """What exists, when asked for; returns the revision that is told with it."""
        options, store = self._options, self._call.cluster.store
        if not options.initial:
            return options.revision or store.revision
        revision = store.revision
        objects = store.items(self._call.resource.storage_name, self._call.target.namespace)
        lines = [self._lines.object("ADDED", stored) for stored in objects if self._selection.matches(stored)]
        if options.mark_end_of_initial:
            lines.append(self._lines.bookmark(revision, initial_end=True))
        if lines:
            await _send(send, b"".join(lines))
        return revision

    def _line(self, event: Event) -> bytes | None:
        """The line for an event as this selection sees it: entering is ADDED, leaving is DELETED."""
        return build_line(self._selection, self._lines, event)


def build_line(selection: Selection, lines: LineWriter, event: Event) -> bytes | None:
    """None when the event is outside of the selection before and after."""
    before = event.previous is not None and selection.matches(event.previous)
    after = event.operation != "DELETED" and selection.matches(event.current)
    if after and event.previous is not None:
        return lines.event("MODIFIED" if before else "ADDED", event)
    if after:
        return lines.event("ADDED", event)
    if not before or event.previous is None:
        return None
    if event.operation == "DELETED":
        return lines.event("DELETED", event)
    return lines.departed(event)


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await wake.wait()
    except TimeoutError:
        pass
