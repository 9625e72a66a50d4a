"""What 1,000 policies and 10,000 runs cost an operator: memory, CPU when idle, requests a tick, lateness of slots, a restart.

python -m tests.bench.scale_bench [--kubeconfig FILE] [--policies N] [--runs N]

By default on an embedded API of its own; with a kubeconfig on any cluster that has our definitions, in a namespace that is deleted again.
"""

import asyncio
import itertools
import json
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import psutil
from tests.integration.embedded import EmbeddedApi, served, until
from tests.integration.operator.plainagent import PlainAgent

from strongroom.api.fields import format_time
from strongroom.api.labels import MANAGED_BY_LABEL, MANAGER, POLICY_LABEL
from strongroom.kube.client import KubeClient
from strongroom.kube.connection import connect
from strongroom.kube.following import follow
from strongroom.kube.kinds import NAMESPACES, POLICIES, RUNS, STORES

POLICIES_MADE, RUNS_MADE, AT_ONE_SLOT, SLOTS = 1000, 10_000, 100, 2
IDLE_SECONDS, TICK_SECONDS = 30.0, 10.0
AT_ONCE = 16


@dataclass(frozen=True)
class Sizes:
    policies: int = POLICIES_MADE
    runs: int = RUNS_MADE
    at_one_slot: int = AT_ONE_SLOT


class Operator:
    """One operator process, asked by its metrics."""

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path) -> None:
        port_file = folder / "port"
        port_file.unlink(missing_ok=True)
        self._port_file = port_file
        self.started = time.monotonic()
        words = ["--kubeconfig", str(kubeconfig), "--namespace", namespace, "--lease-namespace", namespace]
        # The load is made on the same machine: a Lease that is lost to it would say nothing.
        words += ["--lease-seconds", "120", "--metrics-port", "0", "--metrics-port-file", str(port_file)]
        words += ["--tick-seconds", str(TICK_SECONDS)]
        with (folder / "operator.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "strongroom", "operator", *words], stderr=log
            )
        self._seen = psutil.Process(self._process.pid)

    def metric(self, name: str) -> float:
        try:
            url = f"http://127.0.0.1:{int(self._port_file.read_text())}/metrics"
            with urllib.request.urlopen(url, timeout=60) as answer:
                text = answer.read().decode()
        except (OSError, ValueError):
            return -1.0
        return sum(
            float(value) for value in re.findall(rf"^{name}(?:{{.*}})? ([0-9.e+-]+)$", text, re.MULTILINE)
        )

    async def until_settled(self) -> float:
        """Seconds from the start until all is reconciled."""

        async def settled() -> bool:
            ready = await asyncio.to_thread(self.metric, "strongroom_operator_ready")
            waiting = await asyncio.to_thread(self.metric, "strongroom_operator_queue_length")
            return ready == 1 and waiting == 0

        await until(settled, "everything is reconciled", seconds=1800)
        return time.monotonic() - self.started

    @property
    def requests(self) -> float:
        return self.metric("strongroom_api_requests_total")

    @property
    def memory(self) -> float:
        return self._seen.memory_info().rss / (1 << 20)

    @property
    def peak(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    @property
    def cpu_seconds(self) -> float:
        return sum(self._seen.cpu_times()[:2])

    def stop(self) -> float:
        """Seconds until it has ended."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        return time.monotonic() - began

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


async def at_once(works: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Do all of it, some at a time; an API that says no for a moment is asked again by `persist`."""
    places = asyncio.Semaphore(AT_ONCE)

    async def do(work: Coroutine[Any, Any, Any]) -> None:
        async with places:
            await work

    for batch in itertools.batched(works, 500) if hasattr(itertools, "batched") else [list(works)]:
        await asyncio.gather(*(do(work) for work in batch))


class Load:
    """What lies in the namespace."""

    def __init__(self, client: KubeClient, namespace: str, sizes: Sizes) -> None:
        self.client, self.namespace, self.sizes = client, namespace, sizes

    async def make_policies(self) -> None:
        store = {"metadata": {"name": "vault"}, "spec": {"local": {"path": "/backups"}}}
        await self.client.create(STORES, self.namespace, store)
        await at_once(self._make_policy(number) for number in range(self.sizes.policies))

    async def _make_policy(self, number: int) -> None:
        postgres = {"host": "db.example", "user": "u", "databases": [f"d{number}"]}
        spec = {"schedule": "0 2 1 1 *", "host": "local", "stores": ["vault"]}
        spec |= {"sources": [{"name": "db", "postgres": postgres}], "retention": {"keepDaily": 7}}
        await self.client.create(
            POLICIES, self.namespace, {"metadata": {"name": f"p{number:04}"}, "spec": spec}
        )

    async def make_runs(self) -> None:
        """One real run shows what the operator makes of it; the others are as that one."""
        body = {"metadata": {"name": "template"}, "spec": {"policy": "p0000"}}
        await self.client.create(RUNS, self.namespace, body)

        async def settled() -> dict[str, Any] | None:
            run = await self.client.get(RUNS, self.namespace, "template") or {}
            conditions = {each["type"] for each in run.get("status", {}).get("conditions", [])}
            is_whole = {"Succeeded", "CopiesSatisfied"} <= conditions and run["metadata"].get(
                "ownerReferences"
            )
            return run if is_whole else None

        template = await until(settled, "the first run has succeeded")
        listing = await self.client.list(POLICIES, self.namespace)
        uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in listing.items}
        await at_once(self._make_run(number, template, uids) for number in range(self.sizes.runs))

    async def _make_run(self, number: int, template: dict[str, Any], uids: dict[str, str]) -> None:
        policy = f"p{number % self.sizes.policies:04}"
        owner = template["metadata"]["ownerReferences"][0] | {"name": policy, "uid": uids[policy]}
        labels = {POLICY_LABEL: policy, MANAGED_BY_LABEL: MANAGER}
        meta = {"name": f"r{number:05}", "labels": labels, "ownerReferences": [owner]}
        made = await self.client.create(RUNS, self.namespace, {"metadata": meta, "spec": {"policy": policy}})
        ended = format_time(datetime.now(UTC) - timedelta(minutes=number // self.sizes.policies))
        text = json.dumps(template["status"]).replace("template", made["metadata"]["name"])
        status = json.loads(text) | {"policyUid": uids[policy], "completionTime": ended}
        await self.client.patch(RUNS, self.namespace, meta["name"], {"status": status}, subresource="status")

    async def measure_slots(self) -> list[float]:
        """Seconds from a slot to the moment that each of its runs can be seen."""
        every_minute = {"spec": {"schedule": "* * * * *"}}
        names = [f"p{number:04}" for number in range(self.sizes.at_one_slot)]
        await at_once(self.client.patch(POLICIES, self.namespace, name, every_minute) for name in names)
        begun, late = datetime.now(UTC), dict[str, float]()
        async for change in follow(self.client, RUNS, self.namespace):
            for run in change.objects:
                slot, name = run["spec"].get("slot"), run["metadata"]["name"]
                moment = datetime.fromisoformat(slot) if slot else begun
                if moment > begun and name not in late:  # not the one that was missed before
                    late[name] = (datetime.now(UTC) - moment).total_seconds()
            if len(late) >= SLOTS * self.sizes.at_one_slot:
                return sorted(late.values())
        return []


@contextmanager
def _api(kubeconfig: Path | None, folder: Path) -> Any:
    """Kubeconfigs of an administrator and of the operator, and the server's process where it is ours."""
    if kubeconfig is not None:
        yield kubeconfig, kubeconfig, None
        return
    with served(folder / "api") as api:
        yield api.admin, api.state / "operator.kubeconfig", _process_of(api)


def _process_of(api: EmbeddedApi) -> psutil.Process:
    assert api._process is not None
    return psutil.Process(api._process.pid)


def measure_scale(kubeconfig: Path | None = None, sizes: Sizes = Sizes()) -> dict[str, float]:
    """Figures by name; takes some five minutes."""
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        with _api(kubeconfig, folder) as (admin, operator, server):
            return asyncio.run(_measure(folder, admin, operator, server, sizes))


async def _measure(
    folder: Path, admin: Path, kubeconfig: Path, server: psutil.Process | None, sizes: Sizes
) -> dict[str, float]:
    namespace = f"bench-{secrets.token_hex(4)}"
    figures: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(admin, component="bench"))
        await client.create(NAMESPACES, None, {"metadata": {"name": namespace}})
        stack.push_async_callback(client.delete, NAMESPACES, None, namespace)
        await stack.enter_async_context(PlainAgent(client, namespace).alive())
        load = Load(client, namespace, sizes)
        operator = Operator(kubeconfig, namespace, folder)
        try:
            await operator.until_settled()
            figures["operator's memory with nothing, MiB"] = operator.memory
            await load.make_policies()
            await load.make_runs()
            await operator.until_settled()
            figures["memory with all of it, MiB"] = operator.memory
            figures["time to stop, s"] = operator.stop()
            operator = Operator(kubeconfig, namespace, folder)
            figures["restart until all is reconciled, s"] = await operator.until_settled()
            figures["CPU of that, s"] = operator.cpu_seconds
            figures["requests of that, without watches"] = operator.requests
            figures |= await _measure_idle(operator, server)
            late = await load.measure_slots()
            figures |= {f"{sizes.at_one_slot} slots at once, lateness p50, s": late[len(late) // 2]}
            figures |= {f"{sizes.at_one_slot} slots at once, lateness p99, s": late[int(len(late) * 0.99)]}
            figures["memory in the end, MiB"] = operator.memory
            figures["peak of memory, MiB"] = operator.peak
            if server is not None:
                figures["API server's memory, MiB"] = server.memory_info().rss / (1 << 20)
        finally:
            operator.kill()
    return figures


async def _measure_idle(operator: Operator, server: psutil.Process | None) -> dict[str, float]:
    memory = operator.memory
    await asyncio.sleep(20)  # the watches begin with a listing of their own
    cpu, requests, began = operator.cpu_seconds, operator.requests, time.monotonic()
    served_cpu = sum(server.cpu_times()[:2]) if server is not None else 0.0
    await asyncio.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - began
    figures = {
        "memory after a restart, MiB": memory,
        "CPU when idle, share of one core": (operator.cpu_seconds - cpu) / seconds,
        f"requests per tick of {TICK_SECONDS:.0f} s when idle": (operator.requests - requests)
        / seconds
        * TICK_SECONDS,
    }
    if server is not None:
        spent = sum(server.cpu_times()[:2]) - served_cpu
        figures["API server's CPU when idle, share of one core"] = spent / seconds
    return figures


@click.command
@click.option("--kubeconfig", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--policies", default=POLICIES_MADE)
@click.option("--runs", default=RUNS_MADE)
@click.option("--at-one-slot", default=AT_ONE_SLOT)
def main(kubeconfig: Path | None, policies: int, runs: int, at_one_slot: int) -> None:
    """Print the figures."""
    for name, figure in measure_scale(kubeconfig, Sizes(policies, runs, at_one_slot)).items():
        print(f"  {name:<60} {figure:10.2f}")


if __name__ == "__main__":
    main()
