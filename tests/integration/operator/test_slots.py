"""Slots on a real API server: one run and one Job for each, whatever fails, stands still or jumps."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.integration.embedded import until

from strongroom.kube.kinds import HOSTS, POLICIES, RUNS

EVERY_MINUTE = "* * * * *"


def to_second(second):
    """How far to move the clock, on or back, for it to show that second of this minute.

    Never into the next minute: an object is as old as the server's clock says, which is not moved, and a slot
    between the two clocks would count as missed.
    """
    now = datetime.now(UTC)
    return timedelta(seconds=second - now.second, microseconds=-now.microsecond)


async def status(world, name="orders"):
    return (await world.get(POLICIES, name)).get("status", {})


async def test_a_slot_fires_by_a_timer_of_its_own_and_once(world, agent):
    await world.store()
    world.clock.shift = to_second(50)
    await world.policy(schedule=EVERY_MINUTE)
    async with world.operator(tick_seconds=3600):
        (run,) = await world.until_runs(1)
        slot = datetime.fromisoformat(run["spec"]["slot"])
        made = datetime.fromisoformat(run["metadata"]["creationTimestamp"]) + world.clock.shift
        assert made - slot >= timedelta(seconds=-1)

        async def decided():
            return (await status(world)).get("lastScheduleTime") == run["spec"]["slot"]

        await until(decided, "the slot is written down")
        following = datetime.fromisoformat((await status(world))["nextScheduleTime"])
        assert following == slot + timedelta(minutes=1)
        assert len(await world.jobs()) == 1


async def test_one_job_per_slot_although_every_status_write_fails(world, agent):
    await world.store()
    async with world.operator(resync_seconds=1):
        await world.until_condition(HOSTS, "local", "Ready", "True")
        world.operator_client.fails = True
        world.clock.shift = to_second(56)
        await world.policy(schedule=EVERY_MINUTE)

        async def ended():
            jobs = await world.jobs()
            return jobs and all(job.get("status", {}).get("succeeded") for job in jobs)

        await until(ended, "a Job was made and has ended")

        async def refused():
            return world.operator_client.refused > 5

        await until(refused, "status writes were refused")
        assert len(agent.seen) == 1
        world.operator_client.fails = False
        (run,) = await world.until_runs(1)
        assert run["status"]["phase"] == "Succeeded"
        assert len(agent.seen) == 1

        async def told():
            return (await status(world)).get("lastScheduleTime") == run["spec"]["slot"]

        await until(told, "the policy tells of the slot")


async def test_a_restart_that_lost_its_status_writes_makes_no_second_run_of_a_slot(world, agent):
    await world.store()
    async with world.operator():
        await world.until_condition(HOSTS, "local", "Ready", "True")
        world.operator_client.fails = True
        world.clock.shift = to_second(56)
        await world.policy(schedule=EVERY_MINUTE)
        await until(world.jobs, "a Job was made")
    async with world.operator():
        await world.until_runs(1)
        await asyncio.sleep(1)
    assert len(agent.seen) == len(await world.all(RUNS)) == 1


async def test_slots_missed_by_a_long_outage_become_one_run_of_the_newest(world, agent):
    await world.store()
    await world.policy(schedule="*/10 * * * *", freshness={"maxAge": "1h"})
    world.clock.shift = timedelta(hours=30)
    async with world.operator():
        (run,) = await world.until_runs(1)
        await asyncio.sleep(1)
        assert len(await world.all(RUNS)) == 1
        age = world.clock() - datetime.fromisoformat(run["spec"]["slot"])
        assert age < timedelta(minutes=10, seconds=30)


async def test_slots_older_than_the_starting_deadline_are_not_made_up_for(world, agent):
    await world.store()
    hour = (datetime.now(UTC) + timedelta(hours=20)).hour
    await world.policy(schedule=f"0 {hour} * * *", startingDeadline="1h")
    world.clock.shift = timedelta(hours=26)
    async with world.operator():

        async def decided():
            return (await status(world)).get("lastScheduleTime")

        await until(decided, "the missed slot was decided")
        assert await world.all(RUNS) == []


async def test_a_clock_that_jumps_back_or_a_year_ahead_repeats_nothing(world, agent):
    await world.store()
    await world.policy(schedule="*/10 * * * *")
    world.clock.shift = timedelta(hours=2)
    async with world.operator():
        await world.until_runs(1)
        world.clock.shift = timedelta(hours=1)
        await asyncio.sleep(1.5)
        assert len(await world.all(RUNS)) == 1
        world.clock.shift = timedelta(days=365)
        await world.until_runs(2)
        last = (await status(world))["lastScheduleTime"]
        world.clock.shift = timedelta(hours=3)
        await world.until_condition(POLICIES, "orders", "Ready", "False", "ClockSuspect")
        await asyncio.sleep(1)
        assert len(await world.all(RUNS)) == 2
        assert (await status(world))["lastScheduleTime"] == last


async def test_a_suspended_policy_makes_no_run_but_runs_by_hand_work(world, agent):
    await world.store()
    await world.policy(schedule="*/10 * * * *", suspend=True)
    world.clock.shift = timedelta(minutes=30)
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        await world.until_condition(POLICIES, "orders", "Ready", "True", "Suspended")
        assert "nextScheduleTime" not in await status(world)
        assert len(await world.all(RUNS)) == 1


async def test_runs_on_one_target_wait_for_each_other(world, agent):
    agent.seconds = 0.3
    await world.store()
    await world.policy("orders")
    await world.policy("twin")
    async with world.operator():
        await world.until_condition(POLICIES, "orders", "TargetShared", "True")
        assert "twin" in (await world.condition(POLICIES, "orders", "TargetShared"))["message"]
        for number in range(3):
            await world.run(f"a{number}", policy="orders")
            await world.run(f"b{number}", policy="twin")
        runs = await world.until_runs(6)
        assert {run["status"]["phase"] for run in runs} == {"Succeeded"}
        assert agent.most_at_work == 1
        assert len(agent.seen) == 6


async def test_runs_on_different_targets_work_side_by_side(world, agent):
    agent.behave = lambda _order: None
    await world.store()
    await world.policy("orders")
    await world.policy("other", database="other")
    async with world.operator():
        await world.run("a", policy="orders")
        await world.run("b", policy="other")
        await world.until_phase("Running", run="a")
        await world.until_phase("Running", run="b")
        assert await world.condition(POLICIES, "orders", "TargetShared") == {}


async def test_a_run_whose_target_stays_busy_is_skipped(world, agent):
    agent.behave = lambda _order: None
    await world.store()
    await world.policy(startingDeadline="1h")
    async with world.operator():
        await world.run("first")
        await world.until_phase("Running", run="first")
        await world.run("second")
        await world.until_condition(RUNS, "second", "Succeeded", "Unknown", "TargetBusy")
        world.clock.shift = timedelta(hours=2)
        await world.until_phase("Skipped", run="second")
        assert (await world.condition(RUNS, "second", "Succeeded"))["reason"] == "StartingDeadlineExceeded"
        assert await world.phase("first") == "Running"
