"""Deleting all that a container of objects holds (a namespace, a definition), before the container itself may go."""

from collections.abc import Iterable

from strongroom.apiserver.cluster import Cluster
from strongroom.apiserver.handlers.deletes import DeleteOptions, delete_object
from strongroom.apiserver.http.statuses import StatusError
from strongroom.apiserver.resources import Resource
from strongroom.apiserver.storage.records import Stored


async def delete_contents(
    cluster: Cluster, resources: Iterable[Resource], namespace: str = ""
) -> list[Stored]:
    """Delete every object of the resources (in one namespace, or all); returns those that finalizers still hold."""
    # Creations that were admitted before the container was marked are in the queue: see them, too.
    await cluster.store.flush()
    held = []
    for resource in resources:
        for stored in cluster.store.items(resource.storage_name, namespace):
            if not stored.object["metadata"].get("deletionTimestamp"):
                await _delete(cluster, resource, stored)
            if left := cluster.store.get(stored.key):
                held.append(left)
    return held


async def _delete(cluster: Cluster, resource: Resource, stored: Stored) -> None:
    options = DeleteOptions(uid=stored.object["metadata"]["uid"])
    try:
        await delete_object(cluster, resource, stored.key.namespace, stored.key.name, options)
    except StatusError as error:
        if error.code not in (404, 409):
            raise
