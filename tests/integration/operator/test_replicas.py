"""Several replicas: one acts, the others are ready to, and one that is told to stop ends what it has begun and makes way at once."""

import asyncio

from tests.integration.embedded import until
from tests.integration.operator.probing import Probe
from tests.integration.operator.test_leadership import holder, process

from strongroom.kube.kinds import POLICIES, RUNS, STORES


async def test_a_replica_that_waits_is_ready_and_one_that_is_told_to_stop_makes_way_at_once(world, agent):
    await world.store()
    await world.policy()
    long_lease = {"lease_seconds": 600}  # nobody lives to see its end
    with (
        process(world, identity="one", **long_lease) as one,
        process(world, identity="two", **long_lease) as two,
    ):
        await until(lambda: holder(world), "one of them leads")
        first, second = (one, two) if await holder(world) == "one" else (two, one)
        await world.run("r0")
        await world.until_phase("Succeeded", run="r0")
        first.terminate()
        assert await asyncio.to_thread(first.wait, 30) == 0
        await world.run("r1")
        await world.until_phase("Succeeded", run="r1")
        assert second.poll() is None
    assert len(agent.seen) == 2
    assert agent.most_at_work == 1


async def test_who_waits_for_the_lease_is_ready_and_says_what_it_waits_for(world, tmp_path):
    one, two = Probe(tmp_path / "one"), Probe(tmp_path / "two")
    async with world.operator(metrics_port_file=one.port_file, lease_seconds=60):
        await one.until_ready()
        assert (await one.ask("/readyz"))[1].startswith("ok: active")
        async with world.operator(metrics_port_file=two.port_file, lease_seconds=60):
            await two.until_ready()
            assert "another replica holds the Lease" in (await two.ask("/readyz"))[1]
            assert await one.metric("strongroom_operator_leader") == 1
            assert await two.metric("strongroom_operator_leader") == 0


async def test_what_is_being_written_when_it_is_told_to_stop_is_written_to_its_end(
    world, agent, faulty, through
):
    await world.store()
    await world.policy()
    async with world.operator(**through, identity="leaving"):
        await world.until_condition(STORES, "vault", "Ready", "True")
        await world.until_condition(POLICIES, "orders", "Ready", "True")
        agent.behave = lambda _order: None
        faulty.gate.clear()
        await world.run()

        async def asked():
            return [job for job in faulty.since(0, "POST", "/jobs") if job.name.startswith("by-hand")]

        await until(asked, "the Job is being made")
        asyncio.get_running_loop().call_later(1, faulty.gate.set)
    (job,) = await world.jobs()
    assert (await world.get(RUNS, "by-hand"))["status"]["job"] == job["metadata"]["name"]
    assert await holder(world) is None
