"""What every controller works with: the observed world, the fenced client, the clock, and what must outlast a failed write."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from strongroom.api.fields import Fields
from strongroom.api.resources import ObjectMeta
from strongroom.controllers.clockjumps import ClockJumps
from strongroom.controllers.keys import Key
from strongroom.controllers.leadership import FencedClient
from strongroom.controllers.measures import Measures
from strongroom.controllers.observed import Observed
from strongroom.controllers.obstacles import Obstacles
from strongroom.controllers.queue import ReconcileQueue
from strongroom.controllers.refusedstatus import with_refusal
from strongroom.controllers.serverclock import ServerClock
from strongroom.controllers.settings import Clock, OperatorSettings
from strongroom.domain.hosts import Renewal
from strongroom.domain.stores import AskedCheck
from strongroom.domain.storesyncs import Synced, Walk
from strongroom.kube.events import EventType, emit
from strongroom.kube.kinds import ApiKind
from strongroom.kube.refusals import Refusal

Name = tuple[str, str]
log = logging.getLogger(__name__)


@dataclass
class Context:
    """One operator's state. Nothing in it is needed to be right after a restart: it is all rebuilt from the resources."""

    settings: OperatorSettings
    client: FencedClient
    observed: Observed
    queue: ReconcileQueue
    measures: Measures
    clock: Clock
    decided_slots: dict[str, datetime] = field(default_factory=dict)
    """Newest slot decided, by policy uid: known here before, and even if, the status says so."""
    jobs_made: dict[str, str] = field(default_factory=dict)
    """Name of the Job made, by run uid, until the run is terminal."""
    checks_tried: dict[tuple[str, int], datetime] = field(default_factory=dict)
    """When a store was last checked, by its uid and generation."""
    walks: dict[str, Walk] = field(default_factory=dict)
    """How far the reading of a store's catalogue has come, by the store's uid: begun anew after a restart."""
    synced: dict[str, Synced] = field(default_factory=dict)
    """The last such reading, by the store's uid."""
    asked_checks: dict[str, AskedCheck] = field(default_factory=dict)
    """A store check that was asked for, by the store's uid, and the hosts that have yet to answer it."""
    obstacles: Obstacles = field(default_factory=Obstacles)
    """What stands in the operator's own way."""
    server_clock: ServerClock = field(default_factory=ServerClock)
    clock_trouble: Refusal | None = None
    """What is wrong with the clock, as policies were last told."""
    refused: dict[Key, Refusal] = field(default_factory=dict)
    """What the API server last refused about an object, until all went well with it."""
    renewals: dict[Key, Renewal | None] = field(default_factory=dict)
    """The last renewal seen of each host's Lease."""
    jumps: ClockJumps = field(default_factory=ClockJumps)
    """What is known of a clock that was set."""
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from looking whether a target is free until its Job is observed: two runs never both find it free."""

    def now(self) -> datetime:
        """The time, to the second, as statuses hold it."""
        return self.clock().replace(microsecond=0)

    async def write_status(self, kind: ApiKind, meta: ObjectMeta, old: Fields, new: Fields) -> bool:
        """Patch what differs, nothing if nothing does. Raises Conflict if the object has changed since it was observed."""
        refusal = self.refused.get(Key(kind, meta.namespace, meta.name))
        if refusal is not None:
            new = with_refusal(kind, new, refusal, meta, self.now())
        changes = find_changes(old.to_api(), new.to_api())
        if changes:
            await self.patch_status(kind, meta, changes)
        return bool(changes)

    async def patch_status(self, kind: ApiKind, meta: ObjectMeta, changes: dict[str, Any]) -> None:
        """Patch these fields of the status, on the version that was observed."""
        body = {"metadata": {"resourceVersion": meta.resource_version}, "status": changes}
        changed = await self.client.patch(kind, meta.namespace, meta.name, body, subresource="status")
        self.take_in(kind, changed)

    def take_in(self, kind: ApiKind, body: dict[str, Any]) -> None:
        """Observe the answer to a write of ours at once: the next decision must not rest on the state before."""
        for key in self.observed.apply(kind, "MODIFIED", body):
            self.queue.add(key)

    async def tell(
        self, kind: ApiKind, meta: ObjectMeta, type_: EventType, reason: str, message: str
    ) -> None:
        """Say in the log, and record as an Event, what happened to an object; the Event is best effort."""
        level = logging.INFO if type_ == "Normal" else logging.WARNING
        log.log(level, "%s %s/%s: %s: %s", kind.kind, meta.namespace, meta.name, reason, message)
        involved = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        }
        await emit(self.client.reads, involved, type_, reason, message)


def find_changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The merge patch of two statuses, field by field: null removes one that is no more."""
    removed = {name: None for name in old if name not in new}
    return removed | {name: value for name, value in new.items() if old.get(name) != value}
