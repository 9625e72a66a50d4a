"""A sink with a thread of its own: what is written is handled beside the writer, a few chunks behind at most."""

import queue
from types import TracebackType
from typing import Self

from strongroom.pipeline.errands import Errand
from strongroom.pipeline.sinks import Chunk, Sink


class Lane:
    """Hands chunks to `sink` in a thread. Bounded: the writer waits when the sink is `depth` chunks behind.

    A failure of the sink is raised to the writer by the next `write` or by `finish`. As a context manager it ends its
    thread on leaving, and only then returns; without `finish` the rest of the queue is dropped.

    The writer may be interrupted anywhere by an exception from a signal handler. `queue.Queue` may then keep its lock
    for ever; so the two sides meet in SimpleQueues, which are one step of the interpreter each.
    """

    def __init__(self, sink: Sink, *, depth: int = 4) -> None:
        """Start the thread."""
        self._sink = sink
        self._chunks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(depth):
            self._room.put(None)
        self._failure: BaseException | None = None
        self._dropping = False
        self._errand = Errand("lane", self._run)

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        if self._failure is not None:
            raise self._failure
        self._room.get()
        self._chunks.put(bytes(chunk))

    def finish(self) -> None:
        """Wait until the sink has taken everything; raises what the sink raised."""
        self._end()
        if self._failure is not None:
            raise self._failure

    def _end(self) -> None:
        """Ask the thread to end after what was written, and wait until it has. Idempotent."""
        self._chunks.put(None)
        self._errand.wait()

    def _run(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            if self._failure is None and not self._dropping:
                self._handle(chunk)
            self._room.put(None)

    def _handle(self, chunk: bytes) -> None:
        try:
            self._sink.write(chunk)
        except BaseException as error:  # noqa: BLE001 - carried over to the writer's thread, which raises it
            self._failure = error

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread."""
        self._dropping = True
        self._end()
