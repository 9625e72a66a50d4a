"""A namespace with an operator of its own, for one test."""

import asyncio
import secrets
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.embedded import EmbeddedApi, until

from strongroom.controllers.run import operate
from strongroom.controllers.settings import OperatorSettings
from strongroom.kube.client import KubeClient
from strongroom.kube.connection import connect
from strongroom.kube.errors import Conflict, Invalid, Unavailable
from strongroom.kube.kinds import JOBS, NAMESPACES, POLICIES, RUNS, STORES, ApiKind

TERMINAL = ("Succeeded", "Partial", "Failed", "Skipped")


class ShiftedClock:
    """The time of day, moved by as much as the test says."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift


class FaultyClient(KubeClient):
    """The client of an operator whose writes fail while the test says so, in turn with each of these errors."""

    fails = False
    refused = 0

    async def patch(self, kind: ApiKind, namespace, name, body, *, subresource=None):
        if self.fails and subresource == "status":
            self.refused += 1
            faults = (Conflict(409, "Conflict", "x"), Invalid(422, "Invalid", "x"), Unavailable(500, "", "x"))
            raise faults[self.refused % 3]
        return await super().patch(kind, namespace, name, body, subresource=subresource)


class World:
    """One namespace and what the test does to it."""

    def __init__(self, api: EmbeddedApi, client: KubeClient, namespace: str) -> None:
        self.api = api
        self.client = client
        self.namespace = namespace
        self.clock = ShiftedClock()
        self.operator_client: FaultyClient | None = None

    @classmethod
    async def create(cls, api: EmbeddedApi, client: KubeClient) -> "World":
        name = f"op-{secrets.token_hex(4)}"
        await client.create(NAMESPACES, None, {"metadata": {"name": name}})
        return cls(api, client, name)

    def settings(self, **changes: Any) -> OperatorSettings:
        base: dict[str, Any] = {
            "identity": f"op-{secrets.token_hex(4)}",
            "kubeconfig": self.api.state / "operator.kubeconfig",
            "namespaces": (self.namespace,),
            "lease_namespace": self.namespace,
            "lease_seconds": 12,  # a busy machine may be slow to renew it; tests of its end say how long it lasts
            "tick_seconds": 0.5,
        }
        return OperatorSettings(**base | changes)

    @asynccontextmanager
    async def operator(self, **changes: Any):
        """The operator in this event loop; an error that ends it fails the test."""
        settings, stop = self.settings(**changes), asyncio.Event()

        @asynccontextmanager
        async def connect_faulty():
            async with connect(settings.kubeconfig, component="strongroom-operator") as client:
                self.operator_client = FaultyClient(client._api, component=client.component)
                yield self.operator_client

        task = asyncio.create_task(operate(settings, stop, connect_=connect_faulty, clock=self.clock))
        try:
            yield task
        finally:
            stop.set()
            await asyncio.wait_for(task, 60)

    # -- objects ----------------------------------------------------------------------------------------------------

    async def policy(self, name: str = "orders", **spec: Any) -> dict[str, Any]:
        postgres = {"host": "localhost", "user": "u", "databases": [spec.pop("database", "orders")]}
        base = {
            "schedule": "0 0 1 1 *",
            "host": "local",
            "stores": ["vault"],
            "sources": [{"name": "db", "postgres": postgres}],
        }
        body = {"metadata": {"name": name}, "spec": base | spec}
        return await self.client.create(POLICIES, self.namespace, body)

    async def store(self, name: str = "vault", path: str = "/backups") -> dict[str, Any]:
        return await self.client.create(
            STORES, self.namespace, {"metadata": {"name": name}, "spec": {"local": {"path": path}}}
        )

    async def run(self, name: str = "by-hand", **spec: Any) -> dict[str, Any]:
        body = {"metadata": {"name": name}, "spec": {"policy": "orders"} | spec}
        return await self.client.create(RUNS, self.namespace, body)

    # -- looking ----------------------------------------------------------------------------------------------------

    async def get(self, kind: ApiKind, name: str) -> dict[str, Any]:
        return await self.client.get(kind, self.namespace, name) or {}

    async def all(self, kind: ApiKind) -> list[dict[str, Any]]:
        return (await self.client.list(kind, self.namespace)).items

    async def jobs(self) -> list[dict[str, Any]]:
        """Jobs of runs, not those that check stores."""
        found = await self.all(JOBS)
        return [job for job in found if job["metadata"]["ownerReferences"][0]["kind"] == "BackupRun"]

    async def phase(self, run: str = "by-hand") -> str:
        return (await self.get(RUNS, run)).get("status", {}).get("phase", "")

    async def condition(self, kind: ApiKind, name: str, type_: str) -> dict[str, Any]:
        conditions = (await self.get(kind, name)).get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == type_), {})

    async def until_phase(self, *phases: str, run: str = "by-hand", seconds: float = 90) -> dict[str, Any]:
        async def reached():
            found = await self.get(RUNS, run)
            return found if found.get("status", {}).get("phase") in phases else None

        return await until(reached, f"run {run} is {' or '.join(phases)}", seconds=seconds)

    async def until_condition(self, kind: ApiKind, name: str, type_: str, status: str, reason: str = ""):
        async def reached():
            found = await self.condition(kind, name, type_)
            return found.get("status") == status and found.get("reason", "").startswith(reason) and found

        return await until(reached, f"{kind.kind} {name}: {type_}={status} {reason}", seconds=20)

    async def until_runs(self, count: int, *, seconds: float = 90) -> list[dict[str, Any]]:
        """All runs, once there are as many and all are terminal."""

        async def reached():
            runs = await self.all(RUNS)
            ended = [run for run in runs if run.get("status", {}).get("phase") in TERMINAL]
            return runs if len(runs) >= count and len(ended) == len(runs) else None

        return await until(reached, f"{count} runs are terminal", seconds=seconds)
