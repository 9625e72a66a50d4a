"""Calls that may never return are made by a servant: who waits for the answer can leave, and the servant stays behind."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Call(Generic[T]):
    """One call and its answer."""

    def __init__(self, act: Callable[[], T]) -> None:
        """Not made yet."""
        self._act = act
        self._answers: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._results: list[T] = []
        self._failure: BaseException | None = None
        self.is_answered = False

    def make(self) -> None:
        """Make it and keep what comes of it."""
        try:
            self._results.append(self._act())
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits, which raises it
            self._failure = error
        self.is_answered = True
        self._answers.put(None)

    def wait(self, seconds: float) -> None:
        """Return when it is answered, or after that time."""
        if not self.is_answered:
            with suppress(queue.Empty):
                self._answers.get(timeout=seconds)

    def result(self) -> T:
        """What came of it, once it is answered."""
        if self._failure is not None:
            raise self._failure
        return self._results[0]


class Servant:
    """A thread that makes one call after another. A daemon: a process that ends does not wait for it."""

    def __init__(self) -> None:
        """Start the thread."""
        self._calls: queue.SimpleQueue[Call[object] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="store", daemon=True).start()

    def ask(self, act: Callable[[], T]) -> Call[T]:
        """Have that called, after whatever was asked before."""
        call = Call(act)
        self._calls.put(call)  # type: ignore[arg-type]  # it is made, and its answer not looked at
        return call

    def dismiss(self) -> None:
        """End the thread after what was asked. Idempotent."""
        self._calls.put(None)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call.make()
            del call  # what it holds may be large, and the next may be long in coming
