"""The lane of one store: a thread of its own that does one thing after another there, so that nobody else waits for it."""

import functools
import logging
import queue
from collections.abc import Callable
from contextlib import suppress

from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.errands import Errand
from strongroom.stores.store import Store, StoreWriter
from strongroom.worker.copying import named

log = logging.getLogger(__name__)

LANE_BYTES = 32 << 20
"""What may wait for a store before it counts as full. The chunks are shared by all lanes: together they hold little more."""
_ACT_BYTES = 1024
"""What an act counts beside its bytes: many small ones are bounded, too."""

Act = Callable[[Store], None]


class StoreLane:
    """Does what it is given, in order. After a failure, or once it is left, it does no more and aborts what it was writing.

    Given to by one thread. The threads meet in SimpleQueues and in numbers that one side alone writes: a signal's
    exception may interrupt whoever waits.
    """

    def __init__(self, name: str, store: Store) -> None:
        """Start the thread."""
        self.name = name
        self.failure: StrongroomError | None = None
        self.is_left = False
        self._store = store
        self._writer: StoreWriter | None = None
        self._acts: queue.SimpleQueue[tuple[Act, int] | None] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._given = self._taken = self._asked = self._done = 0
        self._errand = Errand(f"lane {name}", self._run)

    @property
    def is_alive(self) -> bool:
        """Whether it still takes part."""
        return self.failure is None and not self.is_left

    @property
    def has_room(self) -> bool:
        """Whether it would take more without falling behind."""
        return self._given - self._taken < LANE_BYTES

    @property
    def is_idle(self) -> bool:
        """Whether it has done all that it was given."""
        return self._done == self._asked

    def do(self, act: Act, size: int = 0) -> None:
        """Have that done after everything else, if it still takes part. Never waits. `size`: bytes that it holds."""
        if not self.is_alive:
            return
        self._asked += 1
        self._given += size + _ACT_BYTES
        self._acts.put((act, size + _ACT_BYTES))

    def begin(self, key: str) -> None:
        """Begin to write a key."""
        self.do(functools.partial(self._begin, key))

    def write(self, chunk: bytes) -> None:
        """Write on."""
        self.do(lambda _: self._write(chunk), len(chunk))

    def commit(self, committed: Callable[[str], None]) -> None:
        """Commit what was written; `committed` is then told the store's name, in the lane's thread."""
        self.do(lambda _: self._commit(committed))

    def rewind(self) -> None:
        """Forget what was written since `begin`."""
        self.do(lambda _: self._abort())

    def wait(self, seconds: float) -> None:
        """Until it has done something more, or for that time."""
        with suppress(queue.Empty):
            self._news.get(timeout=seconds)

    def leave(self) -> None:
        """Ask no more of it; what it was writing is aborted when its last call returns. Never waits. Idempotent."""
        self.is_left = True
        with suppress(queue.Empty):
            while True:
                self._acts.get_nowait()
        self._acts.put(None)

    def is_ended(self, seconds: float) -> bool:
        """Whether a lane that was left has ended, within that time."""
        return self._errand.is_over_within(seconds)

    def _run(self) -> None:
        while (item := self._acts.get()) is not None:
            act, size = item
            del item
            if self.is_alive:
                self._try(act)
            del act
            self._taken += size
            self._done += 1
            if self._news.empty():
                self._news.put(None)
        self._abort()

    def _try(self, act: Act) -> None:
        try:
            with named(self.name):
                act(self._store)
        except StrongroomError as error:
            self.failure = error
        except Exception as error:
            log.exception("unexpected failure of store %s", self.name)
            words = f"store {self.name}: {type(error).__name__}: {error}"
            self.failure = StrongroomError(Reason.InternalError, words)
        if self.failure is not None:
            self._abort()

    def _begin(self, key: str, store: Store) -> None:
        self._writer = store.create(key)

    def _write(self, chunk: bytes) -> None:
        if self._writer is not None:
            self._writer.write(chunk)

    def _commit(self, committed: Callable[[str], None]) -> None:
        if self._writer is not None:
            self._writer.commit()
            committed(self.name)
            self._abort()  # which gives back what the writer used

    def _abort(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(StrongroomError):
                writer.abort()
