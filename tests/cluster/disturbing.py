"""Who kills a part of the cluster that all tests share waits until nobody else is in the middle of a test, its fixtures included."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tests.cluster.place import RUN_VARIABLE, tests_lock
from tests.docker.slot import CACHE

_held: list[IO[str]] = []


@contextmanager
def undisturbed() -> Iterator[None]:
    """The cluster stays whole meanwhile."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tests_lock(int(os.environ[RUN_VARIABLE])).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        _held.append(lock)
        try:
            yield
        finally:
            _held.pop()


@contextmanager
def disturb() -> Iterator[None]:
    """Alone with the cluster."""
    lock = _held[-1]
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_SH)
