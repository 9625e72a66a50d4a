"""What the Engine refused or failed to do, as a row of the errors table."""

from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.engine.connecting import Engine


@contextmanager
def engine_failures(engine: Engine) -> Iterator[None]:
    """Raise what the Docker client raises as a StrongroomError: ContainerNotFound for 404, else EngineUnreachable."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise StrongroomError(Reason.ContainerNotFound, _text(error)) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise StrongroomError(
            Reason.EngineUnreachable, f"the Docker Engine at {engine.url} failed: {_text(error)}"
        ) from error


def _text(error: Exception) -> str:
    return excerpt(str(getattr(error, "explanation", None) or error))
