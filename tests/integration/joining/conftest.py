"""One control plane, and hosts that join it."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.apiserver.serving import ServerThread
from tests.integration.joining.plane import Plane

from strongroom.agent.joining import JoinRequest
from strongroom.api.crds import build_crds
from strongroom.apiserver.settings import Settings

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    settings = Settings(tmp_path_factory.mktemp("plane"), crds=tuple(build_crds()))
    with ServerThread(settings) as running:
        yield Plane(running)


@pytest.fixture
def host() -> str:
    """A name of the test's own."""
    return f"web-{next(_NUMBERS)}"


@pytest.fixture
def request_to_join(plane: Plane, host: str, tmp_path: Path) -> Callable[..., JoinRequest]:
    def build(token: str, **changes) -> JoinRequest:
        wanted = {
            "server": plane.url,
            "host_name": host,
            "namespace": "default",
            "state_dir": tmp_path / "agent",
        }
        return JoinRequest(token=token, **{**wanted, **changes})

    return build
