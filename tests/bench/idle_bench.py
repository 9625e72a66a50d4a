"""What 1,000 idle policies cost: memory of `strongroom up`, requests when nothing happens, and how late a slot fires among them."""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from tests.e2e.stronghold import Stronghold, policy, store, stronghold

from strongroom.kube.connection import connect
from strongroom.kube.kinds import POLICIES, RUNS

IDLE_POLICIES = 1000
SLOTS = 3


def measure_idle(policies: int = IDLE_POLICIES, slots: int = SLOTS) -> dict[str, float]:
    """Figures by name; takes about `slots` minutes."""
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
        (Path(folder) / "store").mkdir()
        with stronghold(Path(folder) / "state", tick_seconds=10) as hold:
            hold.apply(store(Path(folder) / "store"))
            before = _memory(hold)
            asyncio.run(_create(hold, policies))
            time.sleep(30)
            after = _memory(hold)
            busy = _cpu_share(hold, 20.0)
            late = asyncio.run(_lateness(hold, slots))
    return {
        "memory without policies, MiB": before,
        f"memory with {policies} policies, MiB": after,
        f"CPU with {policies} idle policies, share of one core": busy,
        "slot lateness, median s": sorted(late)[len(late) // 2],
        "slot lateness, worst s": max(late),
    }


def _parts(hold: Stronghold) -> list[psutil.Process]:
    return [*hold.part("apiserver"), *hold.part("operator"), *hold.part("agent"), *hold.part("up")]


def _memory(hold: Stronghold) -> float:
    return sum(process.memory_info().rss for process in _parts(hold)) / (1 << 20)


def _cpu_share(hold: Stronghold, seconds: float) -> float:
    def spent() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in _parts(hold))

    before = spent()
    time.sleep(seconds)
    return (spent() - before) / seconds


def _source(database: str) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": 9, "user": "nobody", "databases": [database]}


async def _create(hold: Stronghold, count: int) -> None:
    async with connect(hold.kubeconfig) as client:
        for number in range(count):
            body = policy(f"idle-{number:04d}", _source(f"idle_{number}"), schedule="0 2 1 1 *")
            await client.create(POLICIES, "default", body)


async def _lateness(hold: Stronghold, slots: int) -> list[float]:
    """Seconds from a slot to the moment that its run can be seen."""
    late: list[float] = []
    seen: set[str] = set()
    async with connect(hold.kubeconfig) as client:
        await client.create(
            POLICIES, "default", policy("punctual", _source("punctual"), schedule="* * * * *")
        )
        while len(late) < slots:
            for body in (
                await client.list(RUNS, "default", labels={"strongroom.dev/policy": "punctual"})
            ).items:
                slot = body["spec"].get("slot")
                if slot and slot not in seen:
                    seen.add(slot)
                    late.append((datetime.now(UTC) - datetime.fromisoformat(slot)).total_seconds())
            await asyncio.sleep(0.05)
    return late
