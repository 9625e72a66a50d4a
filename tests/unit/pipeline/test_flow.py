"""Chunks through threads and to several places."""

import signal
import threading

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.digests import Digest
from strongroom.pipeline.lanes import Lane
from strongroom.pipeline.sinks import Chunk


class Failing:
    """A sink that fails at its nth chunk."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def write(self, chunk: Chunk) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise StrongroomError(Reason.StoreFull, "full")


def test_a_lane_hands_everything_over_in_order_though_the_buffer_is_reused() -> None:
    digest, expected, buffer = Digest(), Digest(), bytearray(10)
    with Lane(digest) as lane:
        for number in range(500):
            buffer[:] = b"%010d" % number
            lane.write(memoryview(buffer))
            expected.write(buffer)
        lane.finish()
    assert digest.fingerprint() == expected.fingerprint()


def test_a_lanes_failure_reaches_the_writer() -> None:
    with Lane(Failing(3)) as lane:
        for _ in range(3):
            lane.write(b"x")
        with pytest.raises(StrongroomError, match="full"):
            lane.finish()
        with pytest.raises(StrongroomError, match="full"):
            lane.write(b"x")


def test_leaving_a_lane_early_ends_its_thread() -> None:
    before = threading.active_count()
    with Lane(Digest()) as lane:
        lane.write(b"x")
    assert threading.active_count() == before


class Interrupted(BaseException):
    """As a signal's handler raises it."""


class Slow:
    """A sink that takes its time over a chunk, and says when it is done."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.done = False

    def write(self, chunk: Chunk) -> None:
        self.begun.set()
        self.may_end.wait(10)
        self.done = True


def test_a_lane_that_is_interrupted_while_it_ends_still_waits_for_its_sink() -> None:
    def interrupt(*_: object) -> None:
        threading.Timer(0.1, sink.may_end.set).start()
        raise Interrupted

    def work() -> None:
        with Lane(sink) as lane:
            lane.write(b"x")
            sink.begun.wait(10)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            lane.finish()

    sink = Slow()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(Interrupted):
            work()
        assert (
            sink.done
        )  # otherwise it would write to a file that is closed by now, or to another of its number
    finally:
        signal.signal(signal.SIGALRM, before)
