"""A stream from one thread to another, a few chunks long at most."""

import queue

from strongroom.pipeline.sinks import Chunk


class AbandonedError(Exception):
    """The other side of the pipe has given up; why is for the one who gave up to say."""


class Pipe:
    """One thread writes, one reads. Bounded: the writer waits while `depth` chunks are unread.

    Either thread may be interrupted by a signal's exception, or give up: after `abandon` both sides get AbandonedError
    instead of waiting. The threads meet in SimpleQueues alone, which are one step of the interpreter each.
    """

    def __init__(self, *, depth: int = 4) -> None:
        """Begin empty."""
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(depth):
            self._room.put(None)
        self._rest = memoryview(b"")
        self._is_at_end = False
        self._is_abandoned = False

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
        if not self._rest and not self._is_at_end:
            self._rest = memoryview(self._chunks.get())
            self._refuse_if_abandoned()
            self._room.put(None)
            self._is_at_end = not self._rest
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def abandon(self) -> None:
        """Wake both sides for good. Idempotent."""
        self._is_abandoned = True
        self._chunks.put(b"")
        self._room.put(None)

    def _refuse_if_abandoned(self) -> None:
        if self._is_abandoned:
            self._room.put(None)
            self._chunks.put(b"")
            raise AbandonedError
