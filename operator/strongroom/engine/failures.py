"""What the Engine refused or failed to do, as a row of the errors table."""

from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import Engine, describe


@contextmanager
def engine_failures(engine: Engine) -> Iterator[None]:
    """Raise what the Docker client raises as a StrongroomError: ContainerNotFound for 404, else EngineUnreachable."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise StrongroomError(Reason.ContainerNotFound, describe(error)) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise StrongroomError(
            Reason.EngineUnreachable, f"the Docker Engine at {engine.url} failed: {describe(error)}"
        ) from error
