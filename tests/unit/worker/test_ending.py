"""Signals interrupt the work, and neither a commit nor the result."""

import os
import signal

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.worker.ending import EndedError, Ending


def send(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def test_a_signal_interrupts_once() -> None:
    with Ending() as ending:
        ending.interrupt_after(60)
        with pytest.raises(EndedError, match="SIGTERM") as raised:
            send()
        send()
        send(signal.SIGINT)
    assert raised.value.failure.reason is Reason.Cancelled


def test_the_deadline_interrupts() -> None:
    def work() -> None:
        with Ending() as ending:
            ending.interrupt_after(0.01)
            signal.pause()

    with pytest.raises(EndedError, match="deadline") as raised:
        work()
    assert raised.value.failure.reason is Reason.DeadlineExceeded


def test_a_signal_before_the_work_is_heard_when_it_begins() -> None:
    with Ending() as ending:
        send()
        with pytest.raises(EndedError):
            ending.interrupt_after(60)


def test_after_it_was_put_off_a_signal_is_only_noted() -> None:
    with Ending() as ending:
        ending.interrupt_after(60)
        ending.put_off()
        ending.check()
        send()
        assert ending.is_asked
        with pytest.raises(StrongroomError, match="SIGTERM"):
            ending.check()


def test_signals_are_left_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Ending():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_is_not_to_be_interrupted_is_interrupted_when_it_is_through() -> None:
    reached = []

    def work(ending: Ending) -> None:
        with ending.uninterrupted():
            send()
            reached.append("its end")

    with Ending() as ending:
        ending.interrupt_after(60)
        with pytest.raises(EndedError, match="SIGTERM"):
            work(ending)
    assert reached == ["its end"]


def test_a_failure_that_is_not_to_be_interrupted_stays_itself() -> None:
    def fail(ending: Ending) -> None:
        with ending.uninterrupted():
            send()
            raise KeyError

    with Ending() as ending:
        ending.interrupt_after(60)
        with pytest.raises(KeyError):
            fail(ending)
        assert ending.is_asked


def test_after_a_signal_was_put_off_once_the_next_one_interrupts() -> None:
    with Ending() as ending:
        ending.interrupt_after(60)
        with ending.uninterrupted():
            pass
        with pytest.raises(EndedError):
            send()


def test_nothing_interrupts_what_was_put_off_before() -> None:
    with Ending() as ending:
        ending.interrupt_after(60)
        ending.put_off()
        with ending.uninterrupted():
            send()
        assert ending.is_asked
