"""Which service needs which other, as compose has noted it on their containers; and the wait for one to be healthy.

Source: the label com.docker.compose.depends_on of compose v2, `service:condition:restart` joined by commas.
"""

import logging
import time
from collections.abc import Mapping, Sequence

from strongroom.api.labels import (
    COMPOSE_DEPENDS_ON_LABEL,
    COMPOSE_PROJECT_LABEL,
    COMPOSE_SERVICE_LABEL,
)
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.failures import engine_failures

HEALTHY_SECONDS = 60.0
"""Longest wait for a service that others depend on: then they are started all the same."""
POLL_SECONDS = 0.25

log = logging.getLogger(__name__)


def needed_services(labels: Mapping[str, str]) -> list[str]:
    """Services of its own project that a container depends on."""
    entries = labels.get(COMPOSE_DEPENDS_ON_LABEL, "").split(",")
    return [name for name in (entry.partition(":")[0].strip() for entry in entries) if name]


def order_for_stopping(containers: Sequence[Container]) -> list[Container]:
    """Those that depend on others before these; else as given. A circle is cut where it was given first."""
    ordered: list[Container] = []
    left = list(containers)
    while left:
        free = [one for one in left if not any(_depends(other, one) for other in left if other is not one)]
        chosen = (free or left)[0]
        left.remove(chosen)
        ordered.append(chosen)
    return ordered


def _depends(one: Container, other: Container) -> bool:
    return one.project == other.project and other.service in needed_services(one.labels)


def await_dependencies(
    engine: Engine, labels: Mapping[str, str], *, seconds: float = HEALTHY_SECONDS
) -> None:
    """Block until what a container depends on is healthy, where it has a health check; not longer than that for all of it.

    Raises EngineUnreachable. A service that does not get well is logged: what depends on it runs better late than never.
    """
    project = labels.get(COMPOSE_PROJECT_LABEL)
    end = time.monotonic() + seconds
    for service in needed_services(labels) if project else []:
        wanted = [f"{COMPOSE_PROJECT_LABEL}={project}", f"{COMPOSE_SERVICE_LABEL}={service}"]
        if not _await_health(engine, {"label": wanted}, f"{project}/{service}", end):
            return


def await_healthy(engine: Engine, container: str, name: str, *, seconds: float = HEALTHY_SECONDS) -> None:
    """The same for one container, by its id."""
    _await_health(engine, {"id": container}, name, time.monotonic() + seconds)


def _await_health(engine: Engine, filters: Mapping[str, object], name: str, end: float) -> bool:
    """False when it is not healthy at the end, a moment of the monotonic clock."""
    while _is_starting(engine, filters):
        if time.monotonic() > end:
            log.warning("%s is not healthy in time", name)
            return False
        time.sleep(POLL_SECONDS)
    return True


def _is_starting(engine: Engine, filters: Mapping[str, object]) -> bool:
    """Whether a running one of them has a health check that has not passed yet. From the listing's text: `Up 2 s (unhealthy)`."""
    with engine_failures(engine):
        found = engine.api.containers(filters=dict(filters))
    texts = [str(each.get("Status", "")) for each in found]
    return any("(unhealthy)" in text or "(health: starting)" in text for text in texts)
