"""Who acts: one operator at a time, and one that dies anywhere is followed by one that goes on."""

import asyncio
import dataclasses
import json
import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.embedded import until

from strongroom.api.labels import CONTROLLER_LEASE
from strongroom.controllers.leadership import FencedClient, Leadership, LeadershipLost
from strongroom.controllers.settings import system_clock
from strongroom.kube.kinds import LEASES, POLICIES, RUNS
from strongroom.kube.leases import LeaseLock

PROGRAM = Path(__file__).with_name("operator_process.py")


@contextmanager
def process(world, **changes):
    settings = dataclasses.asdict(world.settings(**changes))
    settings |= {"kubeconfig": str(settings["kubeconfig"]), "metrics_port_file": None}
    del settings["job_defaults"]
    running = subprocess.Popen([sys.executable, str(PROGRAM), json.dumps(settings)])
    try:
        yield running
    finally:
        running.kill()
        running.wait()


async def holder(world):
    lease = await world.client.get(LEASES, world.namespace, CONTROLLER_LEASE)
    return (lease or {"spec": {}})["spec"].get("holderIdentity")


async def renewed(world):
    lease = await world.client.get(LEASES, world.namespace, CONTROLLER_LEASE)
    return (lease or {"spec": {}})["spec"].get("renewTime")


async def test_a_second_operator_waits_and_takes_over_when_the_first_stops(world, agent):
    await world.store()
    await world.policy()
    async with world.operator(identity="second-to-be") as waiting:
        await until(lambda: holder(world), "somebody leads")
        async with world.operator(identity="other") as other:
            await asyncio.sleep(1)
            assert await holder(world) == "second-to-be"
            assert not waiting.done()
            assert not other.done()
    async with world.operator(identity="third"):
        await world.run()
        await world.until_phase("Succeeded")
        assert await holder(world) == "third"


async def test_an_operator_whose_lease_was_taken_stops_at_once(world, agent):
    with pytest.raises(LeadershipLost):  # noqa: PT012  raised where the operator is awaited: at the end of the block
        async with world.operator() as running:
            await until(lambda: holder(world), "it leads")
            spec = {"holderIdentity": "thief", "leaseDurationSeconds": 60}
            await world.client.patch(LEASES, world.namespace, CONTROLLER_LEASE, {"spec": spec})
            await asyncio.wait({running}, timeout=60)
            assert running.done()


async def test_a_frozen_holder_is_refused_its_writes_when_it_wakes(world, client):
    now = [0.0]
    lock = LeaseLock(client, world.namespace, "fence", "frozen", 15, monotonic=lambda: now[0])
    leadership = Leadership(lock, 15, system_clock, monotonic=lambda: now[0])
    await leadership.acquire()
    fenced = FencedClient(client, leadership)
    await fenced.create(LEASES, world.namespace, {"metadata": {"name": "allowed"}, "spec": {}})
    now[0] = 11  # two thirds of the Lease have passed; another may begin at 15
    with pytest.raises(LeadershipLost):
        await fenced.create(LEASES, world.namespace, {"metadata": {"name": "refused"}, "spec": {}})
    assert await client.get(LEASES, world.namespace, "refused") is None


async def test_killed_at_random_moments_it_ends_with_one_job_per_run_and_every_run_terminal(world, agent):
    agent.seconds = 0.2
    chance = random.Random(20261122)
    await world.store()
    for number in range(4):
        await world.policy(f"p{number}", database=f"d{number // 2}")
    made = 0
    for _ in range(6):
        with process(world, identity="the-same", lease_seconds=15) as running:
            for _ in range(2):
                await world.run(f"r{made}", policy=f"p{made % 4}")
                made += 1
            await asyncio.sleep(chance.uniform(0.8, 3.0))
            assert running.poll() is None
            running.send_signal(signal.SIGKILL)
    before = await renewed(world)
    with process(world, identity="the-same", lease_seconds=15) as running:
        runs = await world.until_runs(made, seconds=60)
        assert {run["status"]["phase"] for run in runs} == {"Succeeded"}
        owners = [job["metadata"]["ownerReferences"][0]["uid"] for job in agent.seen.values()]
        assert sorted(owners) == sorted(run["metadata"]["uid"] for run in runs)
        assert agent.most_at_work <= 2

        async def counted():
            found = [await world.get(POLICIES, f"p{number}") for number in range(4)]
            return sum(policy["status"].get("artifactCount") or 0 for policy in found) == made

        await until(counted, "every recovery point is counted")

        async def leads():
            return await renewed(world) != before

        await until(leads, "the last one leads: before, it would not know how to stop")
        running.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.wait, 20) == 0
    assert len(await world.all(RUNS)) == made


async def test_two_processes_never_act_at_once_while_the_leader_is_killed_again_and_again(world, agent):
    agent.seconds = 0.1
    await world.store()
    await world.policy()
    with (
        process(world, identity="one", lease_seconds=5) as one,
        process(world, identity="two", lease_seconds=5) as two,
    ):
        await world.run("r0")
        await world.until_phase("Succeeded", run="r0")
        first = one if await holder(world) == "one" else two
        first.send_signal(signal.SIGSTOP)
        try:
            await world.run("r1")
            await world.until_phase("Succeeded", run="r1", seconds=30)
        finally:
            first.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(first.wait, 20) == 75
        await world.run("r2")
        await world.until_phase("Succeeded", run="r2")
    assert len(agent.seen) == 3
    assert agent.most_at_work == 1
