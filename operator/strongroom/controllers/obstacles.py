"""What stands in the operator's own way: a list that is forbidden, a clock that is wrong, an API that does not answer.

Each is said once in the log when it comes and when it goes, stands in the metrics and at /readyz while it lasts, and is an Event
on the operator's Lease. What stands in the way of one object is told there: see `refusing`.
"""

import asyncio
import logging
from dataclasses import dataclass

from strongroom.kube.client import KubeClient, Object
from strongroom.kube.errors import ApiError
from strongroom.kube.events import emit
from strongroom.kube.kinds import LEASES
from strongroom.kube.permissions import Permission
from strongroom.kube.refusals import Refusal, explain

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Obstacle:
    """One of them. One that `blocks` keeps the operator from being ready."""

    refusal: Refusal
    blocks: bool


class Obstacles:
    """Those that stand now, by what they are about. Written by the event loop, read by the metrics' thread by copies."""

    def __init__(self) -> None:
        """Nothing stands in the way."""
        self._standing: dict[str, Obstacle] = {}
        self._news: asyncio.Queue[Refusal] = asyncio.Queue()

    def note(self, about: str, refusal: Refusal, *, blocks: bool = True) -> None:
        """It stands in the way; the same again is no news."""
        before = self._standing.get(about)
        self._standing[about] = Obstacle(refusal, blocks)
        if before is None or before.refusal.reason != refusal.reason:
            log.warning("%s: %s: %s", about, refusal.reason, refusal.message)
            self._news.put_nowait(refusal)

    def clear(self, about: str) -> None:
        """It stands in the way no more."""
        if self._standing.pop(about, None) is not None:
            log.info("%s: works again", about)

    def hear(self, permission: Permission, error: ApiError | None) -> None:
        """A list or watch failed, or works."""
        if error is None:
            self.clear(str(permission))
        else:
            self.note(str(permission), explain(error))

    def standing(self) -> dict[str, Obstacle]:
        """All of them."""
        return self._standing.copy()

    async def announce(self, client: KubeClient, namespace: str, lease: str) -> None:
        """Record each as an Event on the operator's Lease, for ever; best effort."""
        involved: Object = {"apiVersion": LEASES.api_version, "kind": LEASES.kind}
        involved["metadata"] = {"name": lease, "namespace": namespace}
        while True:
            refusal = await self._news.get()
            await emit(client, involved, "Warning", refusal.reason, refusal.message)
