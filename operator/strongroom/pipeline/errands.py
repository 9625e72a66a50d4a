"""Something that is done in a thread of its own, with its failure kept."""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

_LOOK_SECONDS = 0.05


class Errand:
    """Runs `act` in a thread. `failure` is what it raised, known once `wait` has returned.

    The one who waits may be interrupted by a signal's exception and wait again: `Thread.join` would take a running
    thread for an ended one then, so that the thread says itself that it has ended.
    """

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        """Start the thread."""
        self._act = act
        self.failure: BaseException | None = None
        self._is_over = False
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return once it has ended, however. Idempotent."""
        while not self._is_over:
            with suppress(queue.Empty):
                self._ended.get(timeout=_LOOK_SECONDS)
        self._thread.join()

    def is_over_within(self, seconds: float) -> bool:
        """Whether it has ended, after that time at the latest."""
        end = time.monotonic() + seconds
        while not self._is_over and (left := end - time.monotonic()) > 0:
            with suppress(queue.Empty):
                self._ended.get(timeout=min(left, _LOOK_SECONDS))
        return self._is_over

    def finish(self) -> None:
        """Wait, and raise what it raised."""
        self.wait()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits, which raises it
            self.failure = error
        self._is_over = True
        self._ended.put(None)
