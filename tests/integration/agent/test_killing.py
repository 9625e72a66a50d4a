"""The agent is killed at random moments while Jobs of every kind run."""

import asyncio
import random

from tests.integration.agent.hosts import gone

KILLS = 12
EXPECTED = {
    "succeed": ("Complete", {"Succeeded"}, {1}),
    "slow": ("Complete", {"Succeeded"}, {1}),
    "second-time": ("Complete", {"Succeeded"}, {2}),
    "refused": ("Failed", {"AuthenticationFailed"}, {1}),
    # A kill between an attempt's record and its process spends an attempt without a worker.
    "unreachable": ("Failed", {"SourceUnreachable", "WorkerLost"}, {1, 2, 3, 4}),
    "die": ("Failed", {"WorkerLost"}, {1, 2, 3, 4}),
}


async def test_no_job_is_lost_stuck_or_doubled(own_host):
    chance = random.Random(2471)
    jobs = [(behaviour, await own_host.send(behaviour, backoffLimit=3)) for behaviour in [*EXPECTED] * 3]
    own_host.start(max_jobs=3)
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.05, 1.2))
        own_host.kill()
        own_host.start(max_jobs=3)
    for behaviour, job in jobs:
        condition, _, result, found = await own_host.finished(job, seconds=60)
        expected_condition, reasons, starts = EXPECTED[behaviour]
        assert condition == expected_condition, behaviour
        assert result["reason"] in reasons, behaviour
        assert len(own_host.starts(job)) in starts, behaviour
        assert found["status"]["active"] == 0
        await own_host.cleared(job)
        if (child := own_host.child(job)) is not None:
            await gone(child)
    assert list(own_host.notes.glob("*.overlap")) == []
