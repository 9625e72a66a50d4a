"""Being a DockerHost: its object, what the agent finds on the machine, and the Lease that proves one live agent."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from strongroom import __version__
from strongroom.agent import clock
from strongroom.agent.hostfacts import operating_system, postgres_clients
from strongroom.agent.settings import AgentSettings
from strongroom.api.dockerhost import DockerHostSpec, DockerHostStatus
from strongroom.api.labels import host_lease_name
from strongroom.kube.client import KubeClient, Object
from strongroom.kube.errors import ApiError
from strongroom.kube.kinds import HOSTS
from strongroom.kube.leases import LeaseLock

FACTS_SECONDS = 3600
SOONEST_HEARTBEAT_SECONDS = 1.0
RELEASE_SECONDS = 5

log = logging.getLogger(__name__)


class Registration:
    """The agent's standing: it may claim only while the Lease is its own."""

    def __init__(
        self,
        client: KubeClient,
        settings: AgentSettings,
        identity: str,
        *,
        running: Callable[[], int],
        claimable: Callable[[], None],
        engine_facts: Callable[[], dict[str, Any]],
        beat: Callable[[], None],
    ) -> None:
        """`running` counts the Jobs for the heartbeat; `claimable` is called when the standing has become better.

        `engine_facts` are the fields of the status that the Engine decides; `beat` is called at every turn.
        """
        self._client = client
        self._settings = settings
        self._identity = identity
        self._running = running
        self._claimable = claimable
        self._engine_facts = engine_facts
        self._turn_begins = beat
        timing = settings.timing
        self._lease = LeaseLock(
            client,
            settings.namespace,
            host_lease_name(settings.host_name),
            identity,
            timing.lease_seconds,
        )
        self._limit: int | None = None
        self._facts: tuple[float, dict[str, Any]] | None = None
        self._told: dict[str, Any] | None = None
        self._told_at = float("-inf")
        self._rival: str | None = None

    def slots(self) -> int:
        """How many Jobs may run now: none without the Lease, else the lower of the machine's and the resource's limit."""
        if not self._lease.is_held or self._limit is None:
            return 0
        return min(self._settings.max_jobs, self._limit)

    async def run(self) -> None:
        """Keep Lease and status for ever; an API that is down is asked again at the next turn."""
        timing = self._settings.timing
        renew_at = 0.0
        while True:
            self._turn_begins()
            now = asyncio.get_running_loop().time()
            pause = min(SOONEST_HEARTBEAT_SECONDS, timing.renew_seconds)
            try:
                if now >= renew_at:
                    renew_at = now + timing.renew_seconds
                    # Slower than this is as good as failed: the next turn must come before the Lease runs out.
                    async with asyncio.timeout(timing.renew_seconds):
                        await self._renew()
                if self._lease.is_held:
                    await self._beat()
            except (ApiError, TimeoutError) as error:
                log.warning(
                    "DockerHost %s is not registered now: %s", self._host, error or "no answer in time"
                )
                pause = timing.renew_seconds
            await asyncio.sleep(pause)

    async def release(self) -> None:
        """Let another agent be this host at once; only when no worker of ours runs."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._lease.release()
        except (ApiError, TimeoutError) as error:
            log.info("the Lease of DockerHost %s was not given up, and runs out: %s", self._host, error)

    @property
    def _host(self) -> str:
        return f"{self._settings.namespace}/{self._settings.host_name}"

    async def _renew(self) -> None:
        was_held = self._lease.is_held
        is_held = await self._lease.acquire_or_renew(clock.now())
        if is_held:
            self._rival = None
            await self._register()
            if not was_held:
                log.info("this agent is DockerHost %s", self._host)
            self._claimable()
        elif was_held and not self._lease.is_held:
            log.error(
                "DockerHost %s was taken over by agent %s: no Job is claimed any more",
                self._host,
                self._lease.holder,
            )
        rival = None if self._lease.holder == self._identity else self._lease.holder
        if not is_held and rival not in (None, self._rival):
            self._rival = rival
            log.error(
                "DockerHost %s is agent %s, whose Lease is alive: this one claims nothing until that Lease is stale. "
                "Two machines need two names (--host-name).",
                self._host,
                self._rival,
            )

    async def _register(self) -> None:
        """Make the object if it is missing, from what the machine allows; learn its limit."""
        found = await self._client.get(HOSTS, self._settings.namespace, self._settings.host_name)
        if found is None:
            found = await self._client.ensure(HOSTS, self._settings.namespace, self._new_host())
            self._told = None
        spec = DockerHostSpec.model_validate(found.get("spec") or {})
        self._limit = spec.max_concurrent_jobs

    def _new_host(self) -> Object:
        foreign = dict.fromkeys(n for n in self._settings.served_namespaces if n != self._settings.namespace)
        spec = DockerHostSpec(
            allowed_namespaces=list(foreign), max_concurrent_jobs=min(64, self._settings.max_jobs)
        )
        return {"metadata": {"name": self._settings.host_name}, "spec": spec.to_api()}

    async def _beat(self) -> None:
        """Write the status when it has changed, and otherwise at every heartbeat."""
        now = asyncio.get_running_loop().time()
        status = await self._look() | self._engine_facts() | {"runningJobs": self._running()}
        if status == self._told and now < self._told_at + self._settings.timing.heartbeat_seconds:
            return
        body = {"status": status | {"lastHeartbeatTime": _text(clock.now())}}
        await self._client.patch(
            HOSTS, self._settings.namespace, self._settings.host_name, body, subresource="status"
        )
        self._told, self._told_at = status, now

    async def _look(self) -> dict[str, Any]:
        """What is found on the machine, looked up again every hour."""
        now = asyncio.get_running_loop().time()
        if self._facts is None or now > self._facts[0] + FACTS_SECONDS:
            self._facts = (now, await asyncio.to_thread(find_facts))
        return self._facts[1]


def find_facts() -> dict[str, Any]:
    """The status fields that the machine decides; blocks."""
    status = DockerHostStatus(
        agent_version=__version__,
        operating_system=operating_system(),
        postgres_clients=postgres_clients(),
    )
    fields = {"agent_version", "operating_system", "postgres_clients"}
    return status.model_dump(mode="json", by_alias=True, include=fields)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
