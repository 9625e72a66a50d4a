"""Engines as pytest fixtures. Each test file has its own: nothing is shared, so nothing is left by a test or worker that dies."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docker.compose import ComposeStack, running_stack
from tests.docker.engine import Engine, missing, running_engine
from tests.images.build import images
from tests.images.worker import worker_images


@pytest.fixture(scope="session")
def docker_images() -> Path:
    """The data root with the test images, for running_engine(). Skips where no Engine can run; in CI that is a failure."""
    reason = missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return images()


@pytest.fixture(scope="module")
def engine(docker_images: Path) -> Iterator[Engine]:
    """A running Engine with the test images, new for each file. What a test makes on it, later tests of the file see."""
    with running_engine(docker_images) as engine:
        yield engine


@pytest.fixture(scope="module")
def worker_engine(docker_images: Path) -> Iterator[Engine]:
    """As `engine`, with the worker's image, strongroom:dev, so that the default isolation is `container`."""
    with running_engine(worker_images()) as engine:
        yield engine


@pytest.fixture(scope="module")
def second_engine(docker_images: Path) -> Iterator[Engine]:
    """Another host beside `engine`."""
    with running_engine(docker_images) as engine:
        yield engine


@pytest.fixture
def fresh_engine(docker_images: Path) -> Iterator[Engine]:
    """A new Engine for one test, which may leave it in any state."""
    with running_engine(docker_images) as engine:
        yield engine


@pytest.fixture(scope="module")
def compose_stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """The sample stack on `engine`, up and healthy, without data until seed()."""
    with running_stack(engine, tmp_path_factory.mktemp("stack") / "sample") as stack:
        yield stack
