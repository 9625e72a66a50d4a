"""The connection to the local Docker Engine: reached over its socket, of a version that we know."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import docker.errors
import requests

from strongroom.api.errors import Reason, StrongroomError, excerpt

DEFAULT_URL = "unix:///var/run/docker.sock"
OLDEST_API = (1, 41)
"""Docker Engine 20.10."""
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """A connected Engine. `api` is the Docker client's low-level interface, for the modules of this room only."""

    url: str
    version: str
    api_version: str
    api: docker.APIClient


def engine_url(given: str | None = None) -> str:
    """The Engine's address: as given, else $DOCKER_HOST, else the system's socket. Only a local socket will do.

    Raises EngineUnsupported for any other kind of address.
    """
    url = given or os.environ.get("DOCKER_HOST") or DEFAULT_URL
    if not url.startswith("unix:///"):
        raise StrongroomError(
            Reason.EngineUnsupported,
            f"{excerpt(url)} is not a local Docker socket (unix:///…): an agent works with its own Engine",
        )
    return url


def connect_engine(url: str | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Engine:
    """Connect and agree on a version; blocks for at most the timeout, which then holds for each request.

    Raises EngineUnreachable, or EngineUnsupported when the Engine is too old, or too new for this client.
    """
    address = engine_url(url)
    try:
        api = docker.APIClient(base_url=address, version="auto", timeout=timeout_seconds)
        version = str(api.version().get("Version", ""))
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise StrongroomError(
            Reason.EngineUnreachable, f"the Docker Engine at {address} does not answer: {describe(error)}"
        ) from error
    if _numbers(api._version) < OLDEST_API:  # noqa: SLF001 - what `auto` has agreed on
        raise StrongroomError(
            Reason.EngineUnsupported,
            f"the Docker Engine at {address} is {version} with API {api._version}: 1.41 (20.10) is the oldest that will do",  # noqa: SLF001
        )
    return Engine(url=address, version=version, api_version=str(api._version), api=api)  # noqa: SLF001


def describe(error: BaseException) -> str:
    """What went wrong in the Engine's words, or else the system's. The clients wrap both in several layers of their own."""
    if explanation := getattr(error, "explanation", None):
        return excerpt(str(explanation))
    return excerpt(next(_system_words(error), str(error)))


def _system_words(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            yield error.strerror
        for inner in error.args:
            if isinstance(inner, BaseException):
                yield from _system_words(inner)
        error = error.__cause__ or error.__context__


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(word) for word in version.split(".") if word.isdigit())
