"""Which throw-away server: a container where an image is known, else a private cluster of this machine's programs."""

from contextlib import AbstractContextManager

from strongroom.api.restoreorder import DrillOrder
from strongroom.api.sources import Source
from strongroom.engine.drillcontainers import drill_container
from strongroom.sources.postgres.clients import find_clients
from strongroom.sources.postgres.planning import find_containers
from strongroom.sources.postgres.throwaway.clusters import running_cluster
from strongroom.sources.postgres.throwaway.containers import running_container
from strongroom.sources.postgres.throwaway.servers import ThrowAway, Wanted
from strongroom.sources.postgres.throwaway.sidecars import running_sidecar
from strongroom.worker.restoring.databases import build_means
from strongroom.worker.task import Task


def open_server(
    task: Task, order: DrillOrder, wanted: Wanted, container: str | None
) -> AbstractContextManager[ThrowAway]:
    """Entered, it runs; left, it is gone."""
    clients = find_clients(task.client_folders)
    if task.drill_servers is not None and order.image is not None:
        folder = task.drill_servers / wanted.source
        return running_sidecar(wanted, clients, folder, task.scratch, order.image)
    image = order.image or _image_of(task, order, wanted.source, container)
    if image is None:
        return running_cluster(wanted, clients, task.scratch)
    planned = drill_container(task.order, wanted.source, container, image)
    return running_container(task.engine(), planned, wanted, clients)


def is_in_container(order: DrillOrder, source: str) -> bool:
    """Whether the source's server would be one in a container."""
    return order.image is not None or any(each.name == source and _is_inside(each) for each in order.targets)


def _image_of(task: Task, order: DrillOrder, source: str, container: str | None) -> str | None:
    """That of the container which is backed up; None for a source over the network. Raises ContainerNotFound."""
    target = next((each for each in order.targets if each.name == source and _is_inside(each)), None)
    if target is None or target.postgres is None:
        return None
    owner = build_means(task, order.choice.policy).owner
    found = find_containers(source, target.postgres, task.engine(), owner)
    return next((each.image for each in found if container in {None, each.name}), found[0].image)


def _is_inside(source: Source) -> bool:
    return source.postgres is not None and source.postgres.host is None
