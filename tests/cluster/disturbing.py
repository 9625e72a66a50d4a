"""Who kills a part of the cluster that all tests share waits until nobody else is in the middle of a test."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from tests.docker.slot import CACHE

_LOCK: Path = CACHE / "cluster-tests.lock"
_held: list[IO[str]] = []


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    """A test keeps the cluster whole for as long as it runs."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as lock:
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
