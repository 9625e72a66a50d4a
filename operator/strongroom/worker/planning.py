"""Every source looked at before the first is read: what can be refused is refused at once."""

from collections.abc import Sequence

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import MOST_ARTIFACTS
from strongroom.api.sources import PostgresSource, Source
from strongroom.api.workorder import BackupOrder
from strongroom.sources.postgres.clients import Client, find_clients
from strongroom.sources.postgres.planning import Owner, plan_containers, plan_network
from strongroom.sources.reading import Reading
from strongroom.worker.task import Task
from strongroom.worker.trees import plan_tree


def plan_sources(task: Task, backup: BackupOrder) -> list[Reading]:
    """The readings of all sources, in their order; InvalidSpec for more than a recovery point holds."""
    clients = find_clients(task.client_folders)
    readings: list[Reading] = []
    for source in backup.sources:
        task.progress.enter("Connect", source.name)
        readings += _plan_source(task, backup, source, clients)
    if len(readings) > MOST_ARTIFACTS:
        raise StrongroomError(
            Reason.InvalidSpec,
            f"{len(readings)} databases, globals and archives of all sources are more than the {MOST_ARTIFACTS} of one "
            "recovery point (sources): name them in several policies",
        )
    return readings


def _plan_source(task: Task, backup: BackupOrder, source: Source, clients: Sequence[Client]) -> list[Reading]:
    if source.postgres is None:
        return plan_tree(task, source)
    if source.postgres.host is None:
        return _plan_containers(task, backup, source.name, source.postgres, clients)
    return plan_network(
        source.name,
        source.postgres,
        read_secret=task.secrets.read,
        scratch=task.scratch,
        clients=clients,
        takes_what_is_there=_is_safety(backup),
    )


def _plan_containers(
    task: Task, backup: BackupOrder, name: str, postgres: PostgresSource, clients: Sequence[Client]
) -> list[Reading]:
    return plan_containers(
        name,
        postgres,
        read_secret=task.secrets.read,
        engine=task.engine(),
        owner=Owner(task.order.namespace, backup.policy, task.order.run_uid),
        clients=clients,
        takes_what_is_there=_is_safety(backup),
    )


def _is_safety(backup: BackupOrder) -> bool:
    """The present state, before it is overwritten: a database that is gone has none."""
    return backup.reason == "Safety"
