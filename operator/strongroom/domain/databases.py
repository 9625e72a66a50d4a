"""Which of the databases that a host's agent found a source means: by compose service, by container, or by its label."""

import re

from strongroom.api.containers import ContainerSelector
from strongroom.api.dockerhost import DatabaseService
from strongroom.api.sources import Source


def is_meant(source: Source, namespace: str, policy: str, database: DatabaseService) -> bool:
    """Whether a source of that policy dumps this server out of its container.

    A source that reaches a server over the network never does: nobody can tell which container answers there.
    """
    postgres = source.postgres
    if postgres is None:
        return False
    if postgres.labelled:
        return database.policy in (policy, f"{namespace}/{policy}")
    return postgres.container is not None and is_selected(postgres.container, database)


def is_selected(selector: ContainerSelector, database: DatabaseService) -> bool:
    """Whether the selector means the container of this server."""
    if selector.name is not None:
        return selector.name == database.container
    if (selector.project, selector.service) != (database.project, database.service):
        return False
    # Compose ends a name in the container's number, unless the compose file names the container itself.
    number = re.search(r"[-_]([0-9]+)$", database.container)
    return selector.index is None or number is None or int(number[1]) == selector.index


def describe_database(database: DatabaseService) -> str:
    """For people: `shop/db (container shop-db-1)`, or `container db`."""
    container = f"container {database.container}"
    if database.project is None or database.service is None:
        return container
    return f"{database.project}/{database.service} ({container})"
