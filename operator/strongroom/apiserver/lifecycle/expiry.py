"""Objects with an end: events after an hour, finished Jobs after their ttlSecondsAfterFinished."""

from strongroom.apiserver.cluster import Cluster
from strongroom.apiserver.handlers.deletes import DeleteOptions, delete_object
from strongroom.apiserver.http.statuses import StatusError
from strongroom.apiserver.lifecycle.loops import run_loop
from strongroom.apiserver.resources import Rules

INTERVAL_SECONDS = 5.0


async def run_expiry(cluster: Cluster) -> None:
    """Delete what is over, until cancelled."""

    async def step() -> None:
        await expire(cluster)

    await run_loop(step, interval_seconds=INTERVAL_SECONDS)


async def expire(cluster: Cluster) -> int:
    """Delete every object whose time is over; returns how many."""
    now, count = cluster.clock(), 0
    for resource in cluster.catalogue.all():
        if type(resource.rules).expires_at is Rules.expires_at:
            continue  # of this kind nothing ever ends by itself
        for stored in cluster.store.items(resource.storage_name):
            end = resource.rules.expires_at(stored.object)
            if end is None or end > now or stored.object["metadata"].get("deletionTimestamp"):
                continue
            options = DeleteOptions(
                uid=stored.object["metadata"]["uid"], resource_version=str(stored.revision)
            )
            try:
                await delete_object(cluster, resource, stored.key.namespace, stored.key.name, options)
            except StatusError as error:
                if error.code not in (404, 409):  # gone, or written again: both are fine
                    raise
            count += 1
    return count
