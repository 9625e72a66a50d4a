"""Changes that the server itself makes: read, change and commit within the lock of the key."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strongroom.apiserver.cluster import Cluster, key_of
from strongroom.apiserver.handlers.options import WriteOptions
from strongroom.apiserver.handlers.writes import Creation, commit_update, create_object
from strongroom.apiserver.http.requests import User
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.storage.records import Key, Stored

SYSTEM = User("system:apiserver", ("system:masters",), "admin")
SYSTEM_OPTIONS = WriteOptions(
    dry_run=False, manager="strongroom-apiserver", field_validation="Ignore", force=None, field_manager=""
)


async def edit_object(
    cluster: Cluster, resource: Resource, key: Key, change: Callable[[Object], Object]
) -> Stored | None:
    """Make `change` of the current object; None when there is none any more."""
    async with cluster.store.lock(key):
        old = cluster.store.get(key)
        if old is None:
            return None
        new = change(old.object)
        return await commit_update(cluster, resource, old, {**new, "metadata": dict(new["metadata"])})


async def ensure_object(cluster: Cluster, resource: Resource, obj: Mapping[str, Any]) -> Stored:
    """The cluster-wide object of that name, created when there is none."""
    stored = cluster.store.get(key_of(resource, "", obj["metadata"]["name"]))
    if stored is not None:
        return stored
    creation = Creation(cluster, resource, "", SYSTEM, SYSTEM_OPTIONS)
    return await create_object(creation, {**obj, "metadata": dict(obj["metadata"])})


def without_finalizer(name: str) -> Callable[[Object], Object]:
    """A change that takes a finalizer away."""
    return lambda obj: with_metadata(
        obj, finalizers=[one for one in obj["metadata"].get("finalizers", ()) if one != name]
    )


def with_metadata(obj: Object, **fields: Sequence[Any]) -> Object:
    """The object with other metadata."""
    return {**obj, "metadata": {**obj["metadata"], **fields}}
