"""Objects deleted while they are at work, with the garbage collection of owners: what is under way ends, and what is stored stays."""

import pytest
from tests.integration.embedded import until
from tests.integration.operator.faultyapi import order_of
from tests.integration.operator.plainagent import good_result

from strongroom.kube.kinds import POLICIES, RUNS


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_a_policy_deleted_in_mid_run_lets_it_end_and_takes_only_what_is_over(world, agent, propagation):
    await world.store()
    await world.policy()
    async with world.operator():
        await world.run("over")
        await world.until_phase("Succeeded", run="over")

        async def owned():
            return (await world.get(RUNS, "over"))["metadata"].get("ownerReferences")

        await until(owned, "the run that is over belongs to its policy")
        agent.behave = lambda _order: None
        await world.run("under-way")
        await world.until_phase("Running", run="under-way")
        await world.client.delete(POLICIES, world.namespace, "orders", propagation=propagation)

        async def collected():
            return not await world.get(POLICIES, "orders") and not await world.get(RUNS, "over")

        await until(collected, "the policy and what belongs to it are collected")
        assert await world.phase("under-way") == "Running"
        (job,) = [job for job in await world.jobs() if job["metadata"]["name"].startswith("under-way")]
        await agent.end(job["metadata"]["name"], good_result(order_of(job)))
        run = await world.until_phase("Succeeded", run="under-way")
        assert run["status"]["copies"] == [{"store": "vault", "state": "Succeeded"}]
        assert "ownerReferences" not in run["metadata"]
        await world.policy()  # of the same name, and another all the same
        await world.until_condition(POLICIES, "orders", "Ready", "True")
        assert "ownerReferences" not in (await world.get(RUNS, "under-way"))["metadata"]


async def test_a_run_deleted_while_it_works_takes_its_job_with_it(world, agent):
    agent.behave = lambda _order: None
    await world.store()
    await world.policy()
    async with world.operator():
        await world.run()
        await world.until_phase("Running")
        await world.client.delete(RUNS, world.namespace, "by-hand")

        async def collected():
            return not await world.jobs()

        await until(collected, "its Job is collected, and with it its worker")
        agent.behave = good_result
        await world.run("next")
        await world.until_phase("Succeeded", run="next")
