"""Services of a cluster around the exchange: the operator scales them, and scales them back whatever becomes of this worker."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoreorder import RestoreOrder
from strongroom.api.workloads import Workload
from strongroom.worker.asking import Asking
from strongroom.worker.restoring.notes import Notebook
from strongroom.worker.restoring.services import Services
from strongroom.worker.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workloads:
    """What the order stops; as Services, but by asking."""

    asking: Asking | None
    workloads: Sequence[Workload]

    @property
    def stops(self) -> bool:
        """Whether it stops anything at all."""
        return bool(self.workloads)

    def find(self) -> list[str]:
        """Their names. Whether they run is for the operator to see."""
        return [str(each) for each in self.workloads]

    def stop(self) -> None:
        """Return when none of their pods is left. Raises HookFailed."""
        if not self.stops:
            return
        if self._asking.is_hurried():
            # Whoever is told to end puts back the old all the same: sessions that are in the way are ended.
            log.warning("services are not stopped: this worker is to end")
            return
        self._asking.ask("StopServices")

    def start(self) -> None:
        """Return when they are told to be as they were. Raises HookFailed."""
        if not self.stops:
            return
        try:
            self._asking.ask("StartServices")
        except StrongroomError as error:
            if not self._asking.is_hurried():
                raise
            log.warning("services are started when this worker has ended: %s", error.message)

    @property
    def _asking(self) -> Asking:
        if self.asking is None:
            raise StrongroomError(Reason.InvalidOrder, "nobody can be asked to scale services (--answers)")
        return self.asking


def build_services(task: Task, order: RestoreOrder, notebook: Notebook) -> Services | Workloads:
    """Of a host, or of the cluster."""
    if order.workloads:
        return Workloads(task.asking, order.workloads)
    return Services(task, order.hooks, notebook)
