"""What happened to one resource: the newest events in memory, older ones from the log, and snapshots made by undoing them."""

import asyncio
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from strongroom.apiserver.storage.records import Event, Key, Stored

KEPT_EVENTS = 2000


class Ring:
    """The newest events of one resource; `floor` is the revision after which none is missing."""

    def __init__(self, floor: int) -> None:
        """Begin empty at the server's first revision."""
        self.floor = floor
        self._events: list[Event] = []
        self._watchers: set[asyncio.Event] = set()

    def append(self, event: Event) -> None:
        """Add an event; wake nobody yet, so that one commit wakes its watchers once."""
        self._events.append(event)
        if len(self._events) > 2 * KEPT_EVENTS:
            self.floor = self._events[KEPT_EVENTS - 1].revision
            del self._events[:KEPT_EVENTS]

    def after(self, revision: int) -> list[Event]:
        """Events later than `revision`, which must not be below the floor."""
        return self._events[bisect_right(self._events, revision, key=lambda event: event.revision) :]

    def wake(self) -> None:
        """Let every watcher look again."""
        for watcher in self._watchers:
            watcher.set()

    @contextmanager
    def watcher(self) -> Iterator[asyncio.Event]:
        """An event that is set at every change; clear it before looking, then wait for it."""
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)


def undo(current: Mapping[Key, Stored], events: list[Event]) -> dict[Key, Stored]:
    """The state before `events` (in order) happened to `current`."""
    state = dict(current)
    for event in reversed(events):
        if event.previous is None:
            state.pop(event.current.key, None)
        else:
            state[event.current.key] = event.previous
    return state
