"""Programs inside a container ended: those of a run, found by the marker that their shells bear."""

import logging
import re
import time

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.execscripts import END
from strongroom.engine.failures import engine_failures

log = logging.getLogger(__name__)

_END_SECONDS = 20.0
_LOOK_SECONDS = 0.02
_PREFIX = "strongroom-"
_SUPERUSER = "0"


def build_marker(run_uid: str) -> str:
    """What every program of a run bears inside containers: `strongroom-<run uid>`, in harmless characters."""
    return _PREFIX + re.sub(r"[^A-Za-z0-9_-]", "_", run_uid)


def sealed(marker: str) -> str:
    """The marker as it stands in a command line: with an end, so that it is no beginning of another."""
    return f"{marker}."


def end_execs(engine: Engine, container: Container, marker: str, *, user: str | None = None) -> None:
    """End whatever bears the marker in the container. Safe at any time; nothing is done where nothing runs.

    Asks as `user` (the container's own by default) and as root, because either may lack the right. Blocks for some seconds at
    most. Raises nothing: an Engine or container that is gone has nothing that runs.
    """
    end_bearers(engine, container, sealed(marker), user=user)


def end_bearers(engine: Engine, container: Container, text: str, *, user: str | None = None) -> None:
    """The same for the sessions whose shells have that text in their command lines."""
    for who in dict.fromkeys([user or "", _SUPERUSER]):
        try:
            _end(engine, container, text, who)
        except StrongroomError as error:
            level = logging.DEBUG if error.reason is Reason.ContainerNotFound else logging.WARNING
            log.log(level, "%s: could not look for programs left behind: %s", container, error.message)


def _end(engine: Engine, container: Container, text: str, user: str) -> None:
    halves = [text[:-1], "/", text[-1:]]
    with engine_failures(engine):
        made = engine.api.exec_create(container.id, ["sh", "-c", END, "end", *halves], user=user)
        engine.api.exec_start(made["Id"], detach=True)
    _await_end(engine, str(made["Id"]))


def _await_end(engine: Engine, exec_id: str) -> None:
    deadline = time.monotonic() + _END_SECONDS
    while _runs(engine, exec_id) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def _runs(engine: Engine, exec_id: str) -> bool:
    with engine_failures(engine):
        return bool(engine.api.exec_inspect(exec_id)["Running"])
