"""What may pass is tried again for a while: a connection that breaks, a server that is busy.

Tried again is what may be done twice: probe, claim, create, open, look, list, delete, sweep. A writer's stream is gone once it has
been read, and a reader has no offset to begin at: a store that can resume them does so itself, as the bucket does.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.limits.passing import PassingStore
from strongroom.stores.limits.stalls import StalledError
from strongroom.stores.store import Store, StoredKey, StoreProbe, StoreReader, StoreWriter

T = TypeVar("T")

PASSING = {Reason.StoreUnreachable}
"""Reasons that may be gone in a moment. A stalled store has been waited for long enough."""
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 20.0


@dataclass(frozen=True)
class Endurance:
    """For how many seconds something is tried again, counted from its first try: a client that retries by itself spends the same time.

    `chance` is between 0 and 1: pauses differ by it, so that many workers do not come back in one moment.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def attempt(self, act: Callable[[], T]) -> T:
        """What `act` returns in the end; raises what it raised last."""
        started, pause = self.clock(), _FIRST_PAUSE_SECONDS
        while True:
            try:
                return act()
            except StrongroomError as error:
                wait = pause * (0.5 + self.chance() / 2)
                if not may_pass(error) or self.clock() - started + wait > self.seconds:
                    raise
            self.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def may_pass(error: StrongroomError) -> bool:
    """Whether the same may succeed in a moment."""
    return error.reason in PASSING and not isinstance(error, StalledError)


class PersistentStore(PassingStore):
    """A store that is asked again when it could not be reached."""

    def __init__(self, store: Store, endurance: Endurance) -> None:
        """Ask that store."""
        super().__init__(store)
        self._endurance = endurance

    def probe(self) -> StoreProbe:
        """See Store."""
        return self._endurance.attempt(super().probe)

    @contextmanager
    def claim(self, prefix: str) -> Iterator[None]:
        """See Store."""

        def enter() -> Callable[[], object]:
            held = self._store.claim(prefix)
            held.__enter__()
            return lambda: held.__exit__(None, None, None)

        leave = self._endurance.attempt(enter)
        try:
            yield
        finally:
            leave()

    def create(self, key: str) -> StoreWriter:
        """See Store."""
        return self._endurance.attempt(lambda: self._store.create(key))

    def open(self, key: str) -> StoreReader:
        """See Store."""
        return self._endurance.attempt(lambda: self._store.open(key))

    def look(self, key: str) -> StoredKey | None:
        """See Store."""
        return self._endurance.attempt(lambda: self._store.look(key))

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """See Store. A listing that breaks off begins again, and goes on behind the last key that was given."""
        last: str | None = None
        listing: Iterator[StoredKey] | None = None

        def step() -> StoredKey | None:
            nonlocal listing
            if listing is None:
                listing = self._store.list(prefix)
            try:
                return next((found for found in listing if last is None or found.key > last), None)
            except StrongroomError:
                listing = None
                raise

        while (found := self._endurance.attempt(step)) is not None:
            yield found
            last = found.key

    def delete(self, key: str) -> None:
        """See Store."""
        self._endurance.attempt(lambda: self._store.delete(key))

    def sweep(self, prefix: str, before: datetime) -> int:
        """See Store."""
        return self._endurance.attempt(lambda: self._store.sweep(prefix, before))
