"""Compaction by the clock: the log keeps ten minutes, and never less than a thousand changes."""

from strongroom.apiserver.cluster import Cluster
from strongroom.apiserver.lifecycle.loops import run_loop

INTERVAL_SECONDS = 300.0


async def run_compaction(cluster: Cluster) -> None:
    """Compact until cancelled."""

    async def step() -> None:
        await cluster.store.compact()

    await run_loop(step, interval_seconds=INTERVAL_SECONDS)
