"""Which services are whose: two Jobs that stop the same one take turns.

Otherwise the second would find it stopped, and leave it so; or the first would start it while the second reads.
"""

import asyncio
from collections.abc import Iterator

from strongroom.api.containers import ContainerSelector
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import connect_engine
from strongroom.engine.containers import match_containers

EVERYTHING = "*"
"""Overlaps with every service: for when the Engine cannot say which one a name means."""


class Holds:
    """The services that Jobs under way may stop or pause. Used in one event loop."""

    def __init__(self) -> None:
        """Nobody holds any."""
        self._held: dict[str, frozenset[str]] = {}
        self._changed = asyncio.Condition()

    async def take(self, job: str, services: frozenset[str]) -> None:
        """Wait until no other Job holds one of them, and hold them all. What a Job held before, it keeps till then."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._is_taken(job, services))
            self._held[job] = services

    def keep(self, job: str, services: frozenset[str]) -> None:
        """Hold what the Job held before the agent was restarted; before any other may take."""
        self._held[job] = services

    async def release(self, job: str) -> None:
        """Let others have them. Idempotent."""
        async with self._changed:
            self._held.pop(job, None)
            self._changed.notify_all()

    def _is_taken(self, job: str, services: frozenset[str]) -> bool:
        others = [held for other, held in self._held.items() if other != job]
        return any(_overlap(services, held) for held in others)


def _overlap(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    return bool(ours & theirs) or (EVERYTHING in ours | theirs and bool(ours) and bool(theirs))


def find_services(order: WorkOrder, engine_url: str | None) -> frozenset[str]:
    """What the order's hooks stop and pause, as `project/service` or a container's name, whichever way it was selected.

    Blocks. Everything, if the Engine does not answer and only it could say.
    """
    try:
        return frozenset(_names(order, engine_url))
    except StrongroomError as error:
        if error.reason in {Reason.EngineUnreachable, Reason.EngineUnsupported}:
            return frozenset([EVERYTHING])
        raise


def _names(order: WorkOrder, engine_url: str | None) -> Iterator[str]:
    selectors = [selector for each in order.all_hooks.values() for selector in (*each.stop, *each.pause)]
    for selector in selectors:
        if selector.name is None:
            yield f"{selector.project}/{selector.service}"
        else:
            yield from _names_of_container(selector, engine_url)


def _names_of_container(selector: ContainerSelector, engine_url: str | None) -> Iterator[str]:
    for container in match_containers(connect_engine(engine_url), selector):
        yield f"{container.project}/{container.service}" if container.project else container.name
