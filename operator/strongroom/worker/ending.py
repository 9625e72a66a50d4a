"""A worker ends itself: at its deadline, and when it is told to. Whatever it was doing is undone on the way out."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)


class EndedError(BaseException):
    """The worker is to end, now. Like KeyboardInterrupt it passes every handler for failures of one store or source."""

    def __init__(self, failure: StrongroomError) -> None:
        """Keep what the result will say."""
        super().__init__(failure.message)
        self.failure = failure


class Ending:
    """The order to end: Cancelled (SIGTERM, SIGINT) or DeadlineExceeded. As a context manager it listens to signals.

    Between `interrupt_after` and `put_off` a signal raises EndedError in the main thread, once, from wherever it waits;
    everything that must be undone is undone by the contexts that the exception leaves. Before and after, a signal is
    only noted: work that is committed is not lost to it, and the result is written in peace.
    """

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self._asked: StrongroomError | None = None
        self._interrupts = False
        self._deadline_seconds = 0.0
        self._before: dict[signal.Signals, object] = {}

    def interrupt_after(self, deadline_seconds: float) -> None:
        """From now on signals interrupt, and in that many seconds at the latest the deadline does."""
        self._deadline_seconds = deadline_seconds
        signal.setitimer(signal.ITIMER_REAL, deadline_seconds)
        self._interrupts = True
        if self._asked is not None:
            self.put_off()
            raise EndedError(self._asked)

    def put_off(self) -> None:
        """From now on interrupt nothing. Idempotent."""
        self._interrupts = False

    @contextmanager
    def interrupted_again(self) -> Iterator[None]:
        """After `put_off`: what may be left undone. A signal inside, or one that came before, raises EndedError once more."""
        if self._asked is not None:
            raise EndedError(self._asked)
        self._interrupts = True
        try:
            yield
        finally:
            self.put_off()

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """What must not be done by half: a signal inside interrupts at the end of it, unless it fails by itself."""
        interrupts, self._interrupts = self._interrupts, False
        try:
            yield
        except BaseException:
            self._interrupts = interrupts and self._asked is None
            raise
        self._interrupts = interrupts
        if interrupts and self._asked is not None:
            self._interrupts = False
            raise EndedError(self._asked)

    @property
    def is_asked(self) -> bool:
        """Whether the worker is to end."""
        return self._asked is not None

    def check(self) -> None:
        """Raise the order to end if it came: for steps that are not interrupted, between them."""
        if self._asked is not None:
            raise self._asked

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked = self._asked or self._failure(number)
        if self._interrupts:
            self._interrupts = False
            raise EndedError(self._asked)

    def _failure(self, number: int) -> StrongroomError:
        if number == signal.SIGALRM:
            words = f"the work took longer than {self._deadline_seconds:.0f} seconds (deadline)"
            return StrongroomError(Reason.DeadlineExceeded, words)
        return StrongroomError(
            Reason.Cancelled, f"the worker was told to stop ({signal.Signals(number).name})"
        )

    def __enter__(self) -> Self:
        """Listen."""
        self._before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave signals as they were."""
        self.put_off()
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal has given
