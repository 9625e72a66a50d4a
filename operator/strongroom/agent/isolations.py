"""How one attempt runs, as a process or in a container: decided at its start, from what this machine is and allows."""

import logging
from typing import Literal

from strongroom.agent.asks import list_asks
from strongroom.agent.containers import ContainerWorkers
from strongroom.agent.folders import JobFolder
from strongroom.agent.hostview import look_at_host
from strongroom.agent.newvolumes import make_volume
from strongroom.agent.permissions import build_permissions
from strongroom.agent.records import Attempt, Plan
from strongroom.agent.settings import AgentSettings
from strongroom.agent.workers import ProcessWorkers
from strongroom.agent.working import Launch, Workers
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import Engine, connect_engine
from strongroom.engine.drillcontainers import remove_drill_containers
from strongroom.engine.workercontainers import has_image

ENGINE_SECONDS = 20

log = logging.getLogger(__name__)


class Isolations:
    """The ways in which this agent runs workers."""

    def __init__(self, settings: AgentSettings, identity: str) -> None:
        """`identity` marks the agent's containers as its own."""
        self._settings = settings
        self._processes = ProcessWorkers(settings.worker_command, settings.engine_url)
        self._containers = ContainerWorkers(settings.engine_url, settings.limits, identity)

    def of(self, attempt: Attempt) -> Workers:
        """Those that the attempt was, or is to be, run with."""
        return self._containers if attempt.isolation == "container" else self._processes

    def prepare(
        self, plan: Plan, folder: JobFolder, attempt: Attempt
    ) -> tuple[Literal["process", "container"], Launch]:
        """See that the order may run here now, and say how. Blocks.

        Raises HostForbids, UrlForbidden; EngineUnreachable and EngineUnsupported where the Engine is needed; ImageMissing.
        """
        order = folder.read_order()
        engine = self._connect(order)
        permissions = build_permissions(self._settings.allowed, self._settings.own_folders)
        asks = list_asks(order)
        view = look_at_host(order, asks, engine)
        permissions.check(asks, view)
        launch = Launch(
            plan,
            folder,
            attempt.number,
            order,
            view,
            reach=permissions.reach(asks, view),
            may_restore=permissions.may_restore,
            rolls_back=attempt.rolls_back,
        )
        if isolated := self._in_container(engine):
            permissions.check_image(f"Job {plan.namespace}/{plan.name}: the worker's image", plan.image)
        make_volume(order, engine)
        return ("container" if isolated else "process"), launch

    def clear_drill(self, folder: JobFolder) -> None:
        """Remove throw-away containers that a drill's worker has left. Without the Engine they end by themselves. Blocks."""
        order = folder.read_order()
        if order.drill is not None and order.needs_engine:
            try:
                engine = connect_engine(self._settings.engine_url, timeout_seconds=ENGINE_SECONDS)
                remove_drill_containers(engine, order.run_uid)
            except StrongroomError as error:
                log.warning("Job %s: its throw-away containers end later: %s", folder.uid, error.message)

    def _connect(self, order: WorkOrder) -> Engine | None:
        """The Engine; None where it does not answer and is not needed either."""
        try:
            return connect_engine(self._settings.engine_url, timeout_seconds=ENGINE_SECONDS)
        except StrongroomError as error:
            if order.drill is not None and order.drill.application is not None:
                words = f"spec.drill.application: it is started in a container, which needs a Docker Engine: {error.message}"
                raise StrongroomError(error.reason, words) from error
            if order.needs_engine or self._settings.isolation == "container":
                raise
            return None

    def _in_container(self, engine: Engine | None) -> bool:
        # The host alone decides: an order or an image's name must not choose the weaker isolation.
        if self._settings.isolation == "auto":
            return engine is not None and has_image(engine, self._settings.worker_image)
        if self._settings.isolation == "process":
            return False
        if engine is not None and not has_image(engine, self._settings.worker_image):
            image = self._settings.worker_image
            raise StrongroomError(Reason.ImageMissing, f"the worker's image {image} is not on this host")
        return True
