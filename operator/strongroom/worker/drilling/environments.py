"""Which throw-away server: a container where an image is known, else a private cluster of this machine's programs."""

from contextlib import AbstractContextManager

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoreorder import DrillOrder
from strongroom.sources.postgres.clients import find_clients
from strongroom.sources.postgres.throwaway.clusters import running_cluster
from strongroom.sources.postgres.throwaway.servers import ThrowAway, Wanted
from strongroom.worker.task import Task


def open_server(
    task: Task, order: DrillOrder, wanted: Wanted, container: str | None
) -> AbstractContextManager[ThrowAway]:
    """Entered, it runs; left, it is gone."""
    if order.needs_engine:
        raise StrongroomError(
            Reason.Unsupported,
            f"source {wanted.source}: this version drills in no container{container or ''}",
        )
    return running_cluster(wanted, find_clients(task.client_folders), task.scratch)
