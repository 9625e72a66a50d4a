"""Services stopped, paused and put back. Each act is one request to the Engine; what it means is decided elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import docker.errors

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.engine.connecting import Engine
from strongroom.engine.failures import engine_failures

STOPPED = frozenset({"created", "exited", "dead"})
STILL = STOPPED | {"paused"}
"""States in which no program of a container runs."""


@dataclass(frozen=True)
class Look:
    """A container at the moment of the look. `started_at` is the Engine's own text: equal means the same life."""

    id: str
    name: str
    state: str
    started_at: str
    labels: Mapping[str, str] = field(default_factory=dict)


def look_at(engine: Engine, container: str) -> Look | None:
    """The container of that id, or None when it is gone. Raises EngineUnreachable."""
    try:
        with engine_failures(engine):
            found = engine.api.inspect_container(container)
    except StrongroomError as error:
        if error.reason is Reason.ContainerNotFound:
            return None
        raise
    state = found.get("State") or {}
    return Look(
        id=found["Id"],
        name=str(found.get("Name", "")).removeprefix("/"),
        state=str(state.get("Status", "")),
        started_at=str(state.get("StartedAt", "")),
        labels=(found.get("Config") or {}).get("Labels") or {},
    )


def stop_container(engine: Engine, container: str, name: str, timeout_seconds: int) -> None:
    """Stop it, and kill it after the timeout. Returns when it has stopped. Raises HookFailed, EngineUnreachable."""
    with _refusals(f"container {name} cannot be stopped"), engine_failures(engine):
        engine.api.stop(container, timeout=timeout_seconds)


def start_container(engine: Engine, container: str, name: str) -> None:
    """Start it; nothing happens if it runs. Raises HookFailed, EngineUnreachable."""
    with _refusals(f"container {name} cannot be started"), engine_failures(engine):
        engine.api.start(container)


def pause_container(engine: Engine, container: str, name: str) -> None:
    """Freeze it. Raises HookFailed, also if it is frozen; EngineUnreachable."""
    with _refusals(f"container {name} cannot be paused"), engine_failures(engine):
        engine.api.pause(container)


def unpause_container(engine: Engine, container: str, name: str) -> None:
    """Let it go on. Raises HookFailed, also if it is not frozen; EngineUnreachable."""
    with _refusals(f"container {name} cannot be unpaused"), engine_failures(engine):
        engine.api.unpause(container)


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """An Engine that answers and refuses is no Engine that is down: raise HookFailed for it."""
    try:
        yield
    except StrongroomError as error:
        if isinstance(error.__cause__, docker.errors.APIError):
            raise StrongroomError(Reason.HookFailed, f"{what}: {excerpt(error.message)}") from error
        raise
