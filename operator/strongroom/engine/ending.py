"""Programs inside a container ended: those of a run, found by the marker that their shells bear."""

import logging
import re
import time
from contextlib import suppress

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.execscripts import END, PREFIX
from strongroom.engine.failures import engine_failures

log = logging.getLogger(__name__)

_GRACE_SECONDS = 5.0
_END_SECONDS = 20.0
_LOOK_SECONDS = 0.02
_SUPERUSER = "0"


def build_marker(run_uid: str) -> str:
    """What every program of a run bears inside containers: `strongroom-<run uid>`, in harmless characters."""
    return PREFIX + re.sub(r"[^A-Za-z0-9_-]", "_", run_uid)


def sealed(marker: str) -> str:
    """The marker as it stands in a command line: with an end, so that it is no beginning of another."""
    return f"{marker}."


def end_execs(engine: Engine, container: Container, marker: str, *, user: str | None = None) -> None:
    """End whatever bears the marker in the container. Safe at any time; nothing is done where nothing runs.

    Asks as `user` (the container's own by default) and as root, because either may lack the right. Blocks for some seconds at
    most. Raises nothing: an Engine or container that is gone has nothing that runs.
    """
    for who in dict.fromkeys([user or "", _SUPERUSER]):
        try:
            _end(engine, container, marker, who)
        except StrongroomError as error:
            level = logging.DEBUG if error.reason is Reason.ContainerNotFound else logging.WARNING
            log.log(level, "%s: could not look for programs left behind: %s", container, error.message)


def await_end(engine: Engine, exec_id: str, seconds: float = _GRACE_SECONDS) -> bool:
    """Whether the exec has ended, or its Engine or container is gone, within that time."""
    deadline = time.monotonic() + seconds
    with suppress(StrongroomError):
        while _runs(engine, exec_id):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_SECONDS)
    return True


def _end(engine: Engine, container: Container, marker: str, user: str) -> None:
    word = sealed(marker).removeprefix(PREFIX)
    with engine_failures(engine):
        made = engine.api.exec_create(container.id, ["sh", "-c", END, "end", word], user=user)
        engine.api.exec_start(made["Id"], detach=True)
    await_end(engine, str(made["Id"]), _END_SECONDS)


def _runs(engine: Engine, exec_id: str) -> bool:
    with engine_failures(engine):
        return bool(engine.api.exec_inspect(exec_id)["Running"])
