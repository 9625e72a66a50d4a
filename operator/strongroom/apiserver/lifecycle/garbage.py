"""The garbage collector: what has lost all its owners goes, and an owner deleted in the foreground or as orphan-maker waits for it.

Follows k8s.io/kubernetes pkg/controller/garbagecollector: an owner counts as absent when nothing of its kind and name has its uid; a
kind that is not served is never judged.
"""

import asyncio

from strongroom.apiserver.cluster import Cluster, key_of
from strongroom.apiserver.handlers.deletes import FOREGROUND, ORPHAN, DeleteOptions, delete_object
from strongroom.apiserver.handlers.edits import edit_object, with_metadata, without_finalizer
from strongroom.apiserver.http.statuses import StatusError
from strongroom.apiserver.lifecycle.loops import run_loop
from strongroom.apiserver.lifecycle.owners import Owners, owners_of
from strongroom.apiserver.resources import Object
from strongroom.apiserver.storage.records import Event, Key, Stored

SWEEP_SECONDS = 300.0


class GarbageCollector:
    """Looks at what may have become garbage: dependents of what went, new dependents, owners on their way out."""

    def __init__(self, cluster: Cluster) -> None:
        """Index the store and follow it; everything is suspect once."""
        self._cluster = cluster
        store = cluster.store
        everything = [stored for name in store.resources() for stored in store.items(name)]
        self._owners = Owners(everything)
        self._suspects = {stored.key for stored in everything if _concerns_us(stored.object)}
        self._wake = asyncio.Event()
        self._wake.set()
        store.listen(self._follow)

    async def run(self) -> None:
        """Collect until cancelled."""
        await run_loop(self._collect, interval_seconds=SWEEP_SECONDS, wake=self._wake)

    def _follow(self, event: Event) -> None:
        self._owners.follow(event)
        current = event.current
        if event.operation == "DELETED":
            uid = current.object["metadata"]["uid"]
            self._suspects |= self._owners.dependents(uid) | set(self._keys_of_owners(current))
        elif _concerns_us(current.object):
            self._suspects.add(current.key)
            if current.object["metadata"].get("deletionTimestamp"):
                self._suspects |= self._owners.dependents(current.object["metadata"]["uid"])
        if self._suspects:
            self._wake.set()

    def _keys_of_owners(self, stored: Stored) -> list[Key]:
        return [key for owner in owners_of(stored.object) if (key := self._key_of(owner, stored)) is not None]

    def _key_of(self, owner: Object, dependent: Stored) -> Key | None:
        """Where the owner would be; None when its kind is not served."""
        resource = self._cluster.catalogue.find_kind(owner["apiVersion"], owner["kind"])
        return None if resource is None else key_of(resource, dependent.key.namespace, owner["name"])

    async def _collect(self) -> None:
        while self._suspects:
            key = self._suspects.pop()
            try:
                await self._judge(key)
            except StatusError as error:
                if error.code not in (404, 409):
                    self._suspects.add(key)
                    raise
                if error.code == 409:
                    self._suspects.add(key)
                    await asyncio.sleep(0)
            except BaseException:
                self._suspects.add(key)
                raise

    async def _judge(self, key: Key) -> None:
        stored = self._cluster.store.get(key)
        if stored is None:
            return
        finalizers = stored.object["metadata"].get("finalizers") or ()
        if stored.object["metadata"].get("deletionTimestamp"):
            if ORPHAN in finalizers:
                await self._release_dependents(stored)
            elif FOREGROUND in finalizers:
                await self._delete_dependents_first(stored)
            return
        if owners_of(stored.object):
            await self._judge_dependent(stored)

    async def _judge_dependent(self, stored: Stored) -> None:
        present = [owner for owner in owners_of(stored.object) if self._is_present(owner, stored)]
        staying = [owner for owner in present if not self._waits(owner, stored)]
        if staying:
            if len(present) < len(owners_of(stored.object)):
                await self._keep_owners(stored, {owner["uid"] for owner in present})
            return
        uid = stored.object["metadata"]["uid"]
        has_own = any(self._blocks(key, uid) for key in self._owners.dependents(uid))
        # In a foreground deletion the dependents of dependents go first as well.
        propagation = "Foreground" if present and has_own else _asked_propagation(stored)
        await self._delete(stored, propagation)

    def _is_present(self, owner: Object, dependent: Stored) -> bool:
        key = self._key_of(owner, dependent)
        if key is None:
            return True
        found = self._cluster.store.get(key)
        return found is not None and found.object["metadata"]["uid"] == owner["uid"]

    def _waits(self, owner: Object, dependent: Stored) -> bool:
        """Whether the owner is only waiting for its dependents to go."""
        key = self._key_of(owner, dependent)
        found = key and self._cluster.store.get(key)
        if not found:
            return False
        metadata = found.object["metadata"]
        return bool(metadata.get("deletionTimestamp")) and FOREGROUND in (metadata.get("finalizers") or ())

    def _blocks(self, key: Key, uid: str) -> bool:
        stored = self._cluster.store.get(key)
        return stored is not None and any(
            owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners_of(stored.object)
        )

    async def _delete_dependents_first(self, owner: Stored) -> None:
        uid = owner.object["metadata"]["uid"]
        dependents = self._owners.dependents(uid)
        if any(self._blocks(key, uid) for key in dependents):
            self._suspects |= {key for key in dependents if not self._is_going(key)}
            return
        await self._take_finalizer(owner, FOREGROUND)

    def _is_going(self, key: Key) -> bool:
        stored = self._cluster.store.get(key)
        return stored is None or bool(stored.object["metadata"].get("deletionTimestamp"))

    async def _release_dependents(self, owner: Stored) -> None:
        uid = owner.object["metadata"]["uid"]
        for key in self._owners.dependents(uid):
            dependent = self._cluster.store.get(key)
            if dependent is not None:
                await self._keep_owners(
                    dependent, {one["uid"] for one in owners_of(dependent.object)} - {uid}
                )
        await self._take_finalizer(owner, ORPHAN)

    async def _keep_owners(self, stored: Stored, uids: set[str]) -> None:
        def change(obj: Object) -> Object:
            kept = [owner for owner in owners_of(obj) if owner["uid"] in uids]
            return with_metadata(obj, ownerReferences=kept)

        resource = self._cluster.catalogue.find_stored(stored.key.resource)
        if resource is not None:
            await edit_object(self._cluster, resource, stored.key, change)

    async def _take_finalizer(self, stored: Stored, name: str) -> None:
        resource = self._cluster.catalogue.find_stored(stored.key.resource)
        if resource is not None:
            await edit_object(self._cluster, resource, stored.key, without_finalizer(name))

    async def _delete(self, stored: Stored, propagation: str) -> None:
        resource = self._cluster.catalogue.find_stored(stored.key.resource)
        if resource is None:
            return
        options = DeleteOptions(propagation=propagation, uid=stored.object["metadata"]["uid"])
        await delete_object(self._cluster, resource, stored.key.namespace, stored.key.name, options)


def _concerns_us(obj: Object) -> bool:
    metadata = obj["metadata"]
    return bool(metadata.get("ownerReferences") or metadata.get("deletionTimestamp"))


def _asked_propagation(stored: Stored) -> str:
    finalizers = stored.object["metadata"].get("finalizers") or ()
    return "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
