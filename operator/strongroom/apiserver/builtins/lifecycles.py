"""The end of namespaces and of definitions: emptied first, then let go."""

import asyncio
from collections import Counter
from typing import Any

from strongroom.apiserver.builtins import crds, namespaces
from strongroom.apiserver.cluster import Cluster
from strongroom.apiserver.handlers.edits import edit_object, without_finalizer
from strongroom.apiserver.lifecycle.emptying import delete_contents
from strongroom.apiserver.lifecycle.loops import run_loop
from strongroom.apiserver.resources import Object
from strongroom.apiserver.storage.records import Event, Stored

POLL_SECONDS = 1.0
"""How soon finalizers of what is inside are looked at again."""


async def run_lifecycles(cluster: Cluster) -> None:
    """Empty and release, until cancelled."""
    wake = asyncio.Event()

    def follow(event: Event) -> None:
        if event.current.object["metadata"].get("deletionTimestamp"):
            wake.set()

    async def step() -> None:
        for stored in _leaving(cluster, namespaces.RESOURCE_NAME):
            await _end_namespace(cluster, stored)
        for stored in _leaving(cluster, crds.STORAGE_NAME):
            await _end_definition(cluster, stored)

    cluster.store.listen(follow)
    await run_loop(step, interval_seconds=POLL_SECONDS, wake=wake)


def _leaving(cluster: Cluster, storage_name: str) -> list[Stored]:
    return [s for s in cluster.store.items(storage_name) if s.object["metadata"].get("deletionTimestamp")]


async def _end_namespace(cluster: Cluster, namespace: Stored) -> None:
    resources = [r for r in cluster.catalogue.all() if r.namespaced]
    held = await delete_contents(cluster, resources, namespace.key.name)

    def release(obj: Object) -> Object:
        return {**obj, "spec": {key: value for key, value in obj["spec"].items() if key != "finalizers"}}

    def explain(obj: Object) -> Object:
        return {**obj, "status": {**obj["status"], "conditions": _conditions(held, cluster.timestamp(), obj)}}

    await edit_object(cluster, namespaces.RESOURCE, namespace.key, explain if held else release)


def _conditions(held: list[Stored], now: str, obj: Object) -> list[dict[str, Any]]:
    """What the namespace waits for, in the server's words."""
    counts = Counter(stored.key.resource for stored in held)
    finalizers = Counter(f for stored in held for f in stored.object["metadata"].get("finalizers", ()))
    remaining = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(counts.items()))
    waiting = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
    fresh = [
        ("NamespaceContentRemaining", "SomeResourcesRemain", f"Some resources are remaining: {remaining}"),
        (
            "NamespaceFinalizersRemaining",
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {waiting}",
        ),
    ]
    old = {one["type"]: one for one in obj["status"].get("conditions") or ()}
    return [
        {
            "type": type_,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": old.get(type_, {}).get("lastTransitionTime", now),
        }
        for type_, reason, message in fresh
    ]


async def _end_definition(cluster: Cluster, definition: Stored) -> None:
    resource = cluster.catalogue.find_stored(definition.key.name)
    held = await delete_contents(cluster, [resource]) if resource else []
    definitions = cluster.catalogue.find_stored(crds.STORAGE_NAME)
    if not held and definitions is not None:
        await edit_object(cluster, definitions, definition.key, without_finalizer(crds.CLEANUP))
