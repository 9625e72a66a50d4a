"""Leadership: only the holder of the operator's Lease acts, and it stops well before another may begin.

A write is begun, and must end, within two thirds of the Lease's duration after the last renewal: that is the fence.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from strongroom.controllers.settings import Clock
from strongroom.kube.client import KubeClient, Object
from strongroom.kube.errors import ApiError
from strongroom.kube.kinds import ApiKind
from strongroom.kube.leases import LeaseLock

Answer = TypeVar("Answer")
LONGEST_RETRY_SECONDS = 2.0
"""So soon a Lease that is given back is taken."""


class LeadershipLost(Exception):  # noqa: N818  says what happened
    """The Lease could not be renewed in time, or another holds it: this process must not act any more."""


class Leadership:
    """The claim of one process to act."""

    def __init__(
        self,
        lock: LeaseLock,
        duration_seconds: float,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        on_trouble: Callable[[ApiError | TimeoutError | None], None] = lambda _: None,
    ) -> None:
        """`duration_seconds` is the Lease's. `on_trouble` is told what became of each attempt: None is well."""
        self._on_trouble = on_trouble
        self._lock = lock
        self._clock = clock
        self._monotonic = monotonic
        self._trusted_seconds = duration_seconds * 2 / 3
        self._retry_seconds = min(duration_seconds / 6, LONGEST_RETRY_SECONDS)
        self._trusted_until = float("-inf")

    @property
    def remaining_seconds(self) -> float:
        """How long we may still act; not positive when we may not."""
        return self._trusted_until - self._monotonic()

    @property
    def renewed_before(self) -> datetime | None:
        """When the one who led before us has renewed the Lease last, by the clock of that time."""
        return self._lock.renewed_before

    async def acquire(self, on_wait: Callable[[], None] = lambda: None) -> None:
        """Wait until the Lease is ours; an API that fails is asked again. `on_wait`: another has it, and we wait for it."""
        while not await self._renew():
            if self._lock.holder is not None:
                on_wait()
            await asyncio.sleep(self._retry_seconds)

    async def keep(self) -> None:
        """Renew for ever; raises LeadershipLost when the time to act is over."""
        while True:
            await asyncio.sleep(self._retry_seconds)
            await self._renew()
            if self.remaining_seconds <= 0:
                raise LeadershipLost("the operator's Lease could not be renewed in time")

    async def release(self) -> None:
        """Stop acting and let the next one begin at once."""
        self._trusted_until = float("-inf")
        await self._lock.release()

    async def _renew(self) -> bool:
        asked_at = self._monotonic()
        try:
            async with asyncio.timeout(self._trusted_seconds):
                held = await self._lock.acquire_or_renew(self._clock())
        except (ApiError, TimeoutError) as error:
            self._on_trouble(error)
            return False
        self._on_trouble(None)
        if held:
            self._trusted_until = asked_at + self._trusted_seconds
        elif not self._lock.is_held:
            self._trusted_until = float("-inf")
        return held


class FencedClient:
    """The client as controllers see it: reads pass, writes only while we lead."""

    def __init__(self, client: KubeClient, leadership: Leadership) -> None:
        """`client` does the calls."""
        self.reads = client
        self._leadership = leadership

    async def create(self, kind: ApiKind, namespace: str, body: Object) -> Object:
        """See KubeClient.create."""
        return await self._fenced(lambda: self.reads.create(kind, namespace, body))

    async def ensure(self, kind: ApiKind, namespace: str, body: Object) -> Object:
        """See KubeClient.ensure."""
        return await self._fenced(lambda: self.reads.ensure(kind, namespace, body))

    async def patch(
        self, kind: ApiKind, namespace: str, name: str, body: Object, *, subresource: str | None = None
    ) -> Object:
        """See KubeClient.patch."""
        return await self._fenced(
            lambda: self.reads.patch(kind, namespace, name, body, subresource=subresource)
        )

    async def delete(self, kind: ApiKind, namespace: str, name: str, *, uid: str) -> None:
        """See KubeClient.delete: only the object of that uid."""
        await self._fenced(lambda: self.reads.delete(kind, namespace, name, uid=uid))

    async def _fenced(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        remaining = self._leadership.remaining_seconds
        if remaining <= 0:
            raise LeadershipLost("this process no longer holds the operator's Lease")
        async with asyncio.timeout(remaining):
            return await call()
