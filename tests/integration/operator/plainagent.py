"""An agent without workers, for tests of the operator: it ends each Job of its host with the result that the test wants."""

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from strongroom.api.fields import format_time
from strongroom.api.labels import (
    HOST_LABEL,
    PROGRESS_ANNOTATION,
    RESULT_ANNOTATION,
    WORK_ORDER_ANNOTATION,
    host_lease_name,
)
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import ApiError, NotFound
from strongroom.kube.following import follow
from strongroom.kube.kinds import HOSTS, JOBS, LEASES
from strongroom.kube.leases import micro_time

SHA = "ab" * 32
Behaviour = Callable[[dict[str, Any]], dict[str, Any] | None]


def good_result(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a worker says after all went well."""
    now = format_time(datetime.now(UTC))
    stores = [store["name"] for store in order["stores"]]
    base: dict[str, Any] = {"runUid": order["runUid"], "outcome": "Succeeded", "reason": "Succeeded"}
    base |= {"startedAt": now, "finishedAt": now}
    base["stores"] = [
        {"store": name, "ready": True, "recoveryPoints": 3, "totalBytes": 30} for name in stores
    ]
    if order["kind"] == "Backup":
        artifact = {"source": "db", "kind": "database", "database": "orders", "file": "db/orders.dump.zst"}
        artifact |= {"plainBytes": 10, "plainSha256": SHA, "storedBytes": 5, "storedSha256": SHA}
        artifact["verification"] = {"level": "Full", "readBack": True, "time": now}
        base |= {"artifacts": [artifact], "recoveryPoint": f"default/{order['backup']['run']}"}
        base["copies"] = [{"store": name, "state": "Succeeded"} for name in stores]
    return base | changes


class PlainAgent:
    """One host. `behave` turns an order into a result, or None: the Job then runs until the test says otherwise."""

    def __init__(self, client: KubeClient, namespace: str, name: str = "local") -> None:
        self.client = client
        self.namespace = namespace
        self.name = name
        self.behave: Behaviour = good_result
        self.seconds = 0.0
        self.seen: dict[str, dict[str, Any]] = {}
        """Every Job of a run that was ever made, by uid."""
        self.at_work: set[str] = set()
        self.most_at_work = 0
        self.lease_seconds = 1_000_000_000  # tests move the operator's clock by years

    @asynccontextmanager
    async def alive(self):
        await self.register()
        task = asyncio.create_task(self._serve())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def register(self) -> None:
        meta = {"name": self.name, "namespace": self.namespace}
        await self.client.ensure(HOSTS, self.namespace, {"metadata": meta, "spec": {}})
        spec = {"holderIdentity": "plain", "leaseDurationSeconds": self.lease_seconds}
        spec["renewTime"] = micro_time(datetime.now(UTC))
        lease = host_lease_name(self.name)
        await self.client.ensure(LEASES, self.namespace, {"metadata": {"name": lease}, "spec": spec})
        await self.client.patch(LEASES, self.namespace, lease, {"spec": spec})
        await self.client.patch(
            HOSTS, self.namespace, self.name, {"status": {"agentVersion": "test"}}, subresource="status"
        )

    async def die(self) -> None:
        past = micro_time(datetime.now(UTC) - timedelta(hours=1))
        spec = {"renewTime": past, "leaseDurationSeconds": 60}
        await self.client.patch(LEASES, self.namespace, host_lease_name(self.name), {"spec": spec})

    async def _serve(self) -> None:
        started: set[str] = set()
        tasks = set()
        async for change in follow(self.client, JOBS, self.namespace, labels={HOST_LABEL: self.name}):
            for job in change.objects:
                uid = job["metadata"]["uid"]
                if change.type == "DELETED":
                    self.at_work.discard(uid)
                elif uid not in started:
                    started.add(uid)
                    task = asyncio.create_task(self._carry_out(job))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)

    async def _carry_out(self, job: dict[str, Any]) -> None:
        uid, name = job["metadata"]["uid"], job["metadata"]["name"]
        order = json.loads(job["spec"]["template"]["metadata"]["annotations"][WORK_ORDER_ANNOTATION])
        if order["kind"] == "Backup":
            self.seen[uid] = job
            self.at_work.add(uid)
            self.most_at_work = max(self.most_at_work, len(self.at_work))
        while True:
            try:
                await self.claim(name)
                await asyncio.sleep(self.seconds)
                result = self.behave(order)
                if result is not None:
                    await self.end(name, result)
                    self.at_work.discard(uid)
            except NotFound:
                self.at_work.discard(uid)
            except ApiError:
                await asyncio.sleep(0.2)
                continue
            return

    async def claim(self, name: str) -> None:
        status = {"active": 1, "ready": 0, "startTime": format_time(datetime.now(UTC))}
        await self.client.patch(JOBS, self.namespace, name, {"status": status}, subresource="status")

    async def progress(self, name: str, stage: str) -> None:
        text = json.dumps({"stage": stage, "time": format_time(datetime.now(UTC))})
        await self.client.patch(
            JOBS, self.namespace, name, {"metadata": {"annotations": {PROGRESS_ANNOTATION: text}}}
        )

    async def end(self, name: str, result: dict[str, Any] | str | None, *, failed: str | None = None) -> None:
        if result is not None:
            text = result if isinstance(result, str) else json.dumps(result)
            body = {"metadata": {"annotations": {RESULT_ANNOTATION: text}}}
            await self.client.patch(JOBS, self.namespace, name, body)
        now = format_time(datetime.now(UTC))
        if failed:
            types, counts, reason = ("FailureTarget", "Failed"), {"failed": 1}, failed
        else:
            types, counts, reason = ("SuccessCriteriaMet", "Complete"), {"succeeded": 1}, "CompletionsReached"
        conditions = [
            {"type": each, "status": "True", "reason": reason, "message": "", "lastTransitionTime": now}
            for each in types
        ]
        status: dict[str, Any] = {"active": 0, "conditions": conditions, **counts}
        if not failed:
            status["completionTime"] = now
        await self.client.patch(JOBS, self.namespace, name, {"status": status}, subresource="status")
