"""Engines as pytest fixtures. Each xdist worker has its own: nothing is shared, so nothing is left by one that dies."""

import os
from collections.abc import Iterator

import pytest
from tests.docker.engine import Engine, missing, running_engine


@pytest.fixture(scope="session")
def _engines_can_run() -> None:
    reason = missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_engine(_engines_can_run: None) -> Iterator[Engine]:
    """The Engine behind `engine`; ask for it only to fill it once for many tests."""
    with running_engine() as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    """A running Engine without containers, volumes and networks of an earlier test; stop, kill and start it at will."""
    yield shared_engine
    shared_engine.start()
    shared_engine.remove_containers()


@pytest.fixture
def second_engine(_engines_can_run: None) -> Iterator[Engine]:
    """Another host beside `engine`, new for each test."""
    with running_engine() as engine:
        yield engine
