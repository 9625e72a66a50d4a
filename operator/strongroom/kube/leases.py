"""A lock by Lease, as client-go's leader election does it: who holds it acts, who cannot renew it stops."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from strongroom.kube.client import KubeClient
from strongroom.kube.errors import AlreadyExists, Conflict
from strongroom.kube.kinds import LEASES
from strongroom.kube.rights import on

RIGHTS = (on(LEASES, "get", "create", "patch"),)


class LeaseLock:
    """One contender for one Lease.

    Another's Lease is stale when *we* have seen it unchanged for its whole duration: two machines' clocks are never
    compared. A contender with the holder's own identity continues at once, so an identity must be unique among live processes.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        identity: str,
        duration_seconds: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`duration_seconds` is how long the lock outlives its last renewal."""
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration_seconds = duration_seconds
        self._monotonic = monotonic
        self._seen: tuple[str, float] | None = None
        self._renewed_at: float | None = None
        self.holder: str | None = None
        """Who held it when last looked."""
        self.renewed_before: datetime | None = None
        """When it was last renewed before it became ours, as whoever did that has written it."""
        self.transitions = 0
        """How often the lock has changed hands: the holder's generation, a fencing token."""

    @property
    def is_held(self) -> bool:
        """Whether we hold it still, even if the API has been unreachable since the last renewal."""
        return self._renewed_at is not None and self._monotonic() < self._renewed_at + self._duration_seconds

    async def acquire_or_renew(self, now: datetime) -> bool:
        """Take or keep the lock; False when another holds it or was faster. Raises ApiError when the API fails."""
        asked_at = self._monotonic()
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
            if lease is None:
                lease = await self._client.create(LEASES, self._namespace, self._new_lease(now))
            elif self._may_take(lease):
                if self._renewed_at is None:
                    self.renewed_before = read_micro_time(lease["spec"].get("renewTime"))
                body = {
                    "metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]},
                    "spec": self._renewal(lease, now),
                }
                lease = await self._client.patch(LEASES, self._namespace, self._name, body)
            else:
                self._renewed_at = None
                return False
        except (AlreadyExists, Conflict):
            return False
        self.holder = self._identity
        self.transitions = int(lease["spec"].get("leaseTransitions") or 0)
        # From before the request: what others count from cannot be earlier.
        self._renewed_at = asked_at
        return True

    async def release(self) -> None:
        """Give the lock up, so that the next one need not wait; does nothing if it is another's."""
        self._renewed_at = None
        lease = await self._client.get(LEASES, self._namespace, self._name)
        if lease is None or lease["spec"].get("holderIdentity") != self._identity:
            return
        body = {
            "metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]},
            "spec": {"holderIdentity": None, "leaseDurationSeconds": 1},
        }
        try:
            await self._client.patch(LEASES, self._namespace, self._name, body)
        except Conflict:
            return

    def _new_lease(self, now: datetime) -> dict[str, Any]:
        return {
            "metadata": {"name": self._name},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": self._duration_seconds,
                "acquireTime": micro_time(now),
                "renewTime": micro_time(now),
                "leaseTransitions": 0,
            },
        }

    def _renewal(self, lease: dict[str, Any], now: datetime) -> dict[str, Any]:
        spec = {"leaseDurationSeconds": self._duration_seconds, "renewTime": micro_time(now)}
        if lease["spec"].get("holderIdentity") == self._identity:
            return spec
        return spec | {
            "holderIdentity": self._identity,
            "acquireTime": micro_time(now),
            "leaseTransitions": int(lease["spec"].get("leaseTransitions") or 0) + 1,
        }

    def _may_take(self, lease: dict[str, Any]) -> bool:
        spec = lease["spec"]
        self.holder = spec.get("holderIdentity") or None
        if self.holder in (None, self._identity):
            return True
        version, now = lease["metadata"]["resourceVersion"], self._monotonic()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        return now >= self._seen[1] + float(spec.get("leaseDurationSeconds") or self._duration_seconds)


def micro_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as Kubernetes writes `metav1.MicroTime`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_micro_time(text: object) -> datetime | None:
    """What `micro_time` has written; None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
