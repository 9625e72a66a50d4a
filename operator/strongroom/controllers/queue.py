"""The reconcile queue: keys that are due, each at most once in it and never twice at work at the same time.

Three ways in: an event (`add`), a moment of the wall clock (`wake_at`, which a change of the clock moves as it moves
the slots) and a retry (`retry`, in elapsed time, which a change of the clock cannot hold up).
"""

import asyncio
import heapq
import random
from collections import deque
from datetime import datetime

from strongroom.controllers.keys import Key

FIRST_RETRY_SECONDS = 0.25
LONGEST_RETRY_SECONDS = 30.0


class ReconcileQueue:
    """Coalescing: what is added while it waits is in once; what is added while it is at work comes again after."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._waiting: deque[Key] = deque()
        self._queued: set[Key] = set()
        self._at_work: set[Key] = set()
        self._again: set[Key] = set()
        self._arrived = asyncio.Event()
        self._wakes: dict[Key, datetime] = {}
        self._heap: list[tuple[datetime, int, Key]] = []
        self._pushed = 0
        self._failures: dict[Key, int] = {}
        self._retries: dict[Key, asyncio.TimerHandle] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False
        self.sooner = asyncio.Event()
        """Set when a wake-up was asked for: the ticker may have to get up earlier."""

    def __len__(self) -> int:
        """Keys that wait or are at work."""
        return len(self._waiting) + len(self._at_work)

    def add(self, key: Key) -> None:
        """Reconcile the object as soon as a worker is free."""
        if key in self._at_work:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._waiting.append(key)
            self._arrived.set()

    async def take(self) -> Key:
        """The next key; it is at work until `done`."""
        while self._is_closed or not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        key = self._waiting.popleft()
        self._queued.discard(key)
        self._at_work.add(key)
        self._idle.clear()
        return key

    async def close(self) -> None:
        """Hand out nothing more, and wait for what is at work: what was begun is not cut off in the middle."""
        self._is_closed = True
        await self._idle.wait()

    def done(self, key: Key) -> None:
        """The work on a key has ended, well or not."""
        self._at_work.discard(key)
        if not self._at_work:
            self._idle.set()
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def wake_at(self, key: Key, moment: datetime | None) -> None:
        """Reconcile again when the clock shows that moment; replaces what was asked for before."""
        self._failures.pop(key, None)
        self._stop_retrying(key)
        if moment is None:
            self._wakes.pop(key, None)
        elif self._wakes.get(key) != moment:
            self._wakes[key] = moment
            self._pushed += 1  # keys have no order of their own
            heapq.heappush(self._heap, (moment, self._pushed, key))
            self.sooner.set()

    def retry(self, key: Key, least_seconds: float = 0.0) -> float:
        """Reconcile again after a pause that doubles with each failure; returns the pause in seconds.

        Not sooner than `least_seconds`, within reason. No two thousand objects come back at one moment.
        """
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        longest: float = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16))
        pause = random.uniform(0.75, 1.0) * longest  # noqa: S311  spreads load, guards nothing
        pause = max(pause, min(least_seconds, LONGEST_RETRY_SECONDS))
        self._stop_retrying(key)  # one at a time: an event in between has its own failure, and its own pause
        self._retries[key] = asyncio.get_running_loop().call_later(pause, self._add_again, key)
        return pause

    def _add_again(self, key: Key) -> None:
        del self._retries[key]
        self.add(key)

    def _stop_retrying(self, key: Key) -> None:
        if (timer := self._retries.pop(key, None)) is not None:
            timer.cancel()

    def release_due(self, now: datetime) -> datetime | None:
        """Add every key whose moment has come; returns the next moment."""
        while self._heap:
            moment, _, key = self._heap[0]
            if self._wakes.get(key) == moment:
                if moment > now:
                    return moment
                del self._wakes[key]
                self.add(key)
            heapq.heappop(self._heap)
        return None
