"""Programs of others are ended for certain, also when we are interrupted while they start."""

import os
import signal

import psutil
import pytest

from strongroom.programs.children import Child


class Interruption(BaseException):
    """What the handler raises, wherever the main thread is."""


def test_a_program_whose_start_is_interrupted_is_not_left_behind() -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise Interruption

    mine = psutil.Process()
    others = mine.children()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interruption):
            Child(["/bin/sleep", "600"], {}, prepare=lambda: os.kill(os.getpid(), signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [child for child in mine.children() if child not in others] == []


def test_what_prepares_a_start_may_fail_it() -> None:
    def refuse() -> None:
        raise PermissionError("not here")

    with pytest.raises(PermissionError, match="not here"):
        Child(["/bin/sleep", "600"], {}, prepare=refuse)
