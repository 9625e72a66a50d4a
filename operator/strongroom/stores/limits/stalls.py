"""A store that neither takes nor gives a byte nor answers for too long has failed, also when its call never returns."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.limits.passing import PassingReader, PassingStore, PassingWriter
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.limits.servants import Call, Servant
from strongroom.stores.store import Chunk, Store, StoredKey, StoreProbe, StoreReader, StoreWriter

T = TypeVar("T")

_LOOK_SECONDS = 1.0
"""How often the pulse is felt."""
_LEAVING_SECONDS = 10.0
"""How long a writer or reader that is given up is waited for: it may be stuck, and whoever gives it up wants to go on."""
_KEYS = 512
"""Keys of a listing that are fetched by one call."""


class StalledError(StrongroomError):
    """The store did nothing for too long. It is not asked again: a thread still waits for its last answer."""

    def __init__(self, seconds: float) -> None:
        """Say for how long."""
        words = f"neither took nor gave a byte nor answered for {seconds:g} seconds (limits.stallTimeout)"
        super().__init__(Reason.StoreUnreachable, words)


class Watch:
    """Waits for one store's calls as long as they are made within `seconds`, or its pulse beats. For any number of threads."""

    def __init__(
        self, seconds: float, pulse: Pulse | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing has stalled yet."""
        self._seconds = seconds
        self._pulse = pulse or Pulse()
        self._clock = clock
        self._has_stalled = False

    def ask(self, servant: Servant, act: Callable[[], T]) -> T:
        """What `act` returns or raises; StalledError when it does neither, and from then on for whatever is asked."""
        if self._has_stalled:
            raise StalledError(self._seconds)
        call = servant.ask(act)
        self._wait(call)
        return call.result()

    def ask_once(self, act: Callable[[], T]) -> T:
        """The same by a servant of its own."""
        servant = Servant()
        try:
            return self.ask(servant, act)
        finally:
            servant.dismiss()

    def leave(self, servant: Servant, act: Callable[[], object]) -> None:
        """Have the last thing done and dismiss the servant. Raises nothing, and waits for a moment at most."""
        call = servant.ask(act)
        servant.dismiss()
        if not self._has_stalled:
            call.wait(min(_LEAVING_SECONDS, self._seconds))

    def _wait(self, call: Call[T]) -> None:
        felt, since = self._pulse.count, self._clock()
        while not call.is_answered:
            left = since + self._seconds - self._clock()
            if left <= 0:
                self._has_stalled = True
                raise StalledError(self._seconds)
            call.wait(min(left, _LOOK_SECONDS))
            if self._pulse.count != felt:
                felt, since = self._pulse.count, self._clock()


class WatchedStore(PassingStore):
    """A store that fails when it hangs."""

    def __init__(self, store: Store, watch: Watch) -> None:
        """Watch that store."""
        super().__init__(store)
        self._watch = watch

    def probe(self) -> StoreProbe:
        """See Store."""
        return self._watch.ask_once(super().probe)

    @contextmanager
    def claim(self, prefix: str) -> Iterator[None]:
        """See Store."""
        held = self._store.claim(prefix)
        self._watch.ask_once(held.__enter__)
        try:
            yield
        finally:
            self._watch.leave(Servant(), lambda: held.__exit__(None, None, None))

    def create(self, key: str) -> StoreWriter:
        """See Store."""
        servant = Servant()
        return _WatchedWriter(self._hired(servant, lambda: self._store.create(key)), servant, self._watch)

    def open(self, key: str) -> StoreReader:
        """See Store."""
        servant = Servant()
        return _WatchedReader(self._hired(servant, lambda: self._store.open(key)), servant, self._watch)

    def look(self, key: str) -> StoredKey | None:
        """See Store."""
        return self._watch.ask_once(lambda: self._store.look(key))

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """See Store."""
        servant = Servant()
        try:
            listing = self._watch.ask(servant, lambda: self._store.list(prefix))
            while found := self._watch.ask(servant, lambda: [*itertools.islice(listing, _KEYS)]):
                yield from found
        finally:
            servant.dismiss()

    def delete(self, key: str) -> None:
        """See Store."""
        self._watch.ask_once(lambda: self._store.delete(key))

    def sweep(self, prefix: str, before: datetime) -> int:
        """See Store."""
        return self._watch.ask_once(lambda: self._store.sweep(prefix, before))

    def _hired(self, servant: Servant, act: Callable[[], T]) -> T:
        try:
            return self._watch.ask(servant, act)
        except BaseException:
            servant.dismiss()
            raise


class _WatchedWriter(PassingWriter):
    def __init__(self, writer: StoreWriter, servant: Servant, watch: Watch) -> None:
        super().__init__(writer)
        self._servant = servant
        self._watch = watch
        self._is_left = False

    def write(self, chunk: Chunk) -> None:
        # Bytes of its own: who is interrupted uses his buffer again, while the servant may still read it.
        whole = bytes(chunk)
        self._watch.ask(self._servant, lambda: self._writer.write(whole))

    def commit(self) -> None:
        self._watch.ask(self._servant, self._writer.commit)

    def abort(self) -> None:
        if not self._is_left:
            self._is_left = True
            self._watch.leave(self._servant, self._writer.abort)


class _WatchedReader(PassingReader):
    def __init__(self, reader: StoreReader, servant: Servant, watch: Watch) -> None:
        super().__init__(reader)
        self._servant = servant
        self._watch = watch
        self._is_left = False
        self._own = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        if len(self._own) < len(buffer):
            self._own = memoryview(bytearray(len(buffer)))
        own = self._own[: len(buffer)]
        count = self._watch.ask(self._servant, lambda: self._reader.readinto(own))
        buffer[:count] = own[:count]
        return count

    def close(self) -> None:
        if not self._is_left:
            self._is_left = True
            self._watch.leave(self._servant, self._reader.close)
