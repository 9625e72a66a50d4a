"""What the Docker Engine holds, for the host's status: looked at again and again, through an Engine that comes and goes."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import ValidationError

from strongroom.agent.settings import AgentSettings
from strongroom.api.dockerhost import ComposeProject, DatabaseService, DockerHostStatus, EngineFacts
from strongroom.api.errors import StrongroomError
from strongroom.api.fields import Fields
from strongroom.engine.connecting import Engine, connect_engine
from strongroom.engine.inspection import InspectedCache
from strongroom.engine.stacks import DatabaseFacts, Stack, Stacks, read_stacks
from strongroom.engine.workercontainers import has_image

ENGINE_SECONDS = 15
_FIELDS = {"engine", "projects", "databases", "isolation"}

Part = TypeVar("Part", bound=Fields)

log = logging.getLogger(__name__)


class EngineWatch:
    """The last look at the Engine. `facts` are fields of the status; an Engine that is away leaves them at what was seen last."""

    def __init__(self, settings: AgentSettings, look: Callable[[Engine], None] = lambda _: None) -> None:
        """`look` is called, in a thread, with an Engine that answers."""
        self._settings = settings
        self._also = look
        self._engine: Engine | None = None
        self._cache = InspectedCache()
        self._stacks = Stacks()
        self.facts = self._status(EngineFacts(problem="not looked at yet"), "process")

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.facts = await asyncio.to_thread(self._look)
            await asyncio.sleep(self._settings.timing.engine_seconds)

    def _look(self) -> dict[str, Any]:
        if (known := self._engine) is not None:
            # One that was restarted has closed our connections, and may be of another version.
            with contextlib.suppress(StrongroomError):
                return self._ask(known)
        try:
            return self._ask(connect_engine(self._settings.engine_url, timeout_seconds=ENGINE_SECONDS))
        except StrongroomError as error:
            if known is not None:
                log.warning("the Docker Engine is away: %s", error.message)
            self._engine = None
            return self._status(EngineFacts(problem=error.message[:1024]), self._isolation(None))

    def _ask(self, engine: Engine) -> dict[str, Any]:
        self._stacks = read_stacks(engine, self._cache)
        self._also(engine)
        isolation = self._isolation(engine)
        self._engine = engine
        facts = EngineFacts(version=engine.version[:64] or None, api_version=engine.api_version)
        return self._status(facts, isolation)

    def _isolation(self, engine: Engine | None) -> str:
        if self._settings.isolation != "auto":
            return self._settings.isolation
        present = engine is not None and has_image(engine, self._settings.worker_image)
        return "container" if present else "process"

    def _status(self, engine: EngineFacts, isolation: str) -> dict[str, Any]:
        status = DockerHostStatus(
            engine=engine,
            projects=_bounded(map(_project, self._stacks.projects), 64),
            databases=_bounded(map(_database, self._stacks.databases), 128),
            isolation=isolation,
        )
        # Whole lists and explicit nulls: in a merge patch what is left out stays as it was.
        return status.model_dump(mode="json", by_alias=True, include=_FIELDS)


def _bounded(found: Iterable[Callable[[], Part]], most: int) -> list[Part]:
    """The first of them; a name that breaks the rules for names is nobody's to back up and is passed over."""
    parts: list[Part] = []
    for build in found:
        try:
            parts.append(build())
        except ValidationError as error:
            log.debug("not shown in the status: %s", error)
    return parts[:most]


def _project(stack: Stack) -> Callable[[], ComposeProject]:
    return lambda: ComposeProject(
        name=stack.name,
        services=[service.name for service in stack.services][:64],
        volumes=list(stack.volumes)[:64],
    )


def _database(database: DatabaseFacts) -> Callable[[], DatabaseService]:
    return lambda: DatabaseService(
        container=database.container,
        project=database.project,
        service=database.service,
        image=database.image[:256] or None,
        policy=(database.policy or "")[:128] or None,
    )
