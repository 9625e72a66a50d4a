"""A stream from one thread to another, a few chunks long at most."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from strongroom.pipeline.sinks import Chunk


class AbandonedError(Exception):
    """The other side of the pipe has given up; why is for the one who gave up to say."""


class Abandonment:
    """The order to give up, for all who wait for each other. Takes no lock: a signal's exception may interrupt it anywhere."""

    def __init__(self) -> None:
        """Nothing is given up yet."""
        self.is_asked = False
        self._acts: list[Callable[[], None]] = []

    def ask(self) -> None:
        """Wake everybody for good. Idempotent."""
        self.is_asked = True
        for act in list(self._acts):
            act()

    @contextmanager
    def waking(self, act: Callable[[], None]) -> Iterator[None]:
        """Inside, `act` is called when this is asked, in the asking thread; at once if it has been. It may be called twice."""
        self.add(act)
        try:
            yield
        finally:
            self._acts.remove(act)

    def add(self, act: Callable[[], None]) -> None:
        """The same for good."""
        self._acts.append(act)
        if self.is_asked:
            act()


class Pipe:
    """One thread writes, one reads. Bounded: the writer waits while `depth` chunks are unread.

    Once its abandonment is asked both sides get AbandonedError instead of waiting. The threads meet in SimpleQueues
    alone, which are one step of the interpreter each: either may be interrupted by a signal's exception.
    """

    def __init__(self, abandonment: Abandonment, *, depth: int = 4) -> None:
        """Begin empty."""
        self._abandonment = abandonment
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(depth):
            self._room.put(None)
        self._rest = memoryview(b"")
        self.is_at_end = False
        """Whether the reader has seen the end."""
        abandonment.add(self._wake)

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        if not chunk:
            return
        self._room.get()
        self._refuse_if_abandoned()
        self._chunks.put(bytes(chunk))

    def end(self) -> None:
        """Tell the reader that this was all. Never waits."""
        self._chunks.put(b"")

    def readinto(self, buffer: memoryview) -> int:
        """See Readable."""
        self._refuse_if_abandoned()
        if not self._rest and not self.is_at_end:
            self._rest = memoryview(self._chunks.get())
            self._refuse_if_abandoned()
            self._room.put(None)
            self.is_at_end = not self._rest
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _wake(self) -> None:
        self._chunks.put(b"")
        self._room.put(None)

    def _refuse_if_abandoned(self) -> None:
        if self._abandonment.is_asked:
            self._wake()
            raise AbandonedError
