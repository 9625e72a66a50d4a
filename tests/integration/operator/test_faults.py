"""An API server in trouble: away, slow, in bursts of errors, with another clock. Nothing is lost, doubled or hammered."""

import asyncio
import random
import time
from datetime import timedelta

from tests.integration.embedded import until
from tests.integration.operator.faultyapi import Fault, order_of
from tests.integration.operator.test_restores import ask, restore_jobs, until_phase
from tests.integration.operator.test_restores import behave as restoring

from strongroom.api.labels import CONTROLLER_LEASE
from strongroom.kube.kinds import EVENTS, POLICIES, RESTORES, RUNS

BURST = (
    Fault(409, "Conflict"),
    Fault(410, "Expired"),
    Fault(422, "Invalid"),
    Fault(429, "TooManyRequests", retry_after=1),
    Fault(500),
    Fault(503),
    Fault(0),
)


def count(faulty, began):
    return len([asked for asked in faulty.since(began) if CONTROLLER_LEASE not in asked.path])


async def test_bursts_of_every_error_cost_no_run_and_make_no_second_job(world, agent, faulty, probe, through):
    chance = random.Random(20261128)
    await world.store()
    await world.policy()
    async with world.operator(**through, resync_seconds=1) as task:
        await probe.until_ready()
        faulty.decide = lambda _asked: chance.choice(BURST) if chance.random() < 0.5 else None
        began = time.monotonic()
        for number in range(4):
            await world.run(f"r{number}")
            await asyncio.sleep(0.5)
        assert count(faulty, began) < 60 * (time.monotonic() - began)
        faulty.come_back()
        runs = await world.until_runs(4)
        assert {run["status"]["phase"] for run in runs} == {"Succeeded"}
        assert len(agent.seen) == 4
        assert not task.done()
        await probe.until_ready()


async def test_an_api_server_that_was_away_is_asked_in_moderation_and_taken_up_again(
    world, agent, faulty, probe, through
):
    await world.store()
    await world.policy()
    async with world.operator(**through, resync_seconds=3600) as task:
        await world.run("before")
        await world.until_phase("Succeeded", run="before")
        faulty.go_away()
        began = time.monotonic()
        await world.run("meanwhile")
        await asyncio.sleep(5)
        assert count(faulty, began) < 10 * (time.monotonic() - began)
        assert (await probe.ask("/healthz"))[0] == 200
        assert "cannot be reached" in await probe.until_unready()
        faulty.come_back()
        await world.until_phase("Succeeded", run="meanwhile")
        await probe.until_ready()
        assert len(agent.seen) == 2
        assert not task.done()


async def test_a_server_that_asks_for_patience_gets_it(world, agent, faulty, probe, through):
    async with world.operator(**through, resync_seconds=3600) as task:
        await probe.until_ready()
        faulty.decide = lambda asked: (
            None if CONTROLLER_LEASE in asked.path else Fault(429, "TooManyRequests", retry_after=4)
        )
        await world.store()
        await world.policy()
        began = time.monotonic()
        await asyncio.sleep(5)
        assert count(faulty, began) < 12
        faulty.come_back()
        await world.until_condition(POLICIES, "orders", "Ready", "True")
        assert not task.done()


async def test_watches_that_end_as_soon_as_they_begin_are_begun_once_a_second(
    world, agent, faulty, probe, through
):
    faulty.ends_watches = True
    async with world.operator(**through, resync_seconds=3600):
        await probe.until_ready()
        began = time.monotonic()
        await asyncio.sleep(3)
        watches = [asked for asked in faulty.since(began) if asked.is_watch]
        kinds = {asked.path for asked in watches}
        assert len(watches) <= len(kinds) * (time.monotonic() - began + 1)
        faulty.ends_watches = False
        await world.store()
        await world.policy()
        await world.until_condition(POLICIES, "orders", "Ready", "True")


async def test_a_slow_server_slows_down_and_breaks_nothing(world, agent, faulty, probe, through):
    faulty.slow_seconds = 0.2
    await world.store()
    await world.policy()
    async with world.operator(**through, resync_seconds=2) as task:
        await world.run()
        await world.until_phase("Succeeded")
        assert len(agent.seen) == 1
        assert not task.done()


async def test_a_clock_ahead_of_the_servers_decides_no_slot_deletes_nothing_and_is_told(
    world, agent, faulty, probe, through
):
    faulty.date_shift = timedelta(hours=-1)
    world.clock.shift = timedelta(minutes=20)
    await world.store()
    await world.policy(schedule="*/10 * * * *", retention={"keepLast": 1}, runHistoryLimit=1)
    async with world.operator(**through, resync_seconds=3600):
        found = await world.until_condition(POLICIES, "orders", "Ready", "False", "ClockSuspect")
        assert "ahead of the API server's" in found["message"]
        assert -3700 < await probe.metric("strongroom_operator_clock_offset_seconds") < -3500
        await probe.until_metric(1, "strongroom_operator_obstacle", about="clock", reason="ClockSuspect")
        await world.run()
        await world.until_phase("Succeeded")
        (job,) = agent.seen.values()
        assert order_of(job)["backup"]["retention"]["dryRun"] is True
        assert len(await world.all(RUNS)) == 1
        faulty.date_shift = timedelta(0)
        runs = await world.until_runs(2)
        assert [run["spec"].get("slot") for run in runs].count(None) == 1
        await world.until_condition(POLICIES, "orders", "Ready", "True")
        await probe.until_metric(0, "strongroom_operator_obstacle")


async def test_what_a_restore_has_replaced_is_not_dropped_by_a_clock_that_may_be_wrong(
    world, agent, faulty, probe, through
):
    agent.behave = restoring
    faulty.date_shift = timedelta(hours=-1)
    await world.store()
    await world.policy()
    async with world.operator(**through, resync_seconds=1):
        await world.run()
        await world.until_phase("Succeeded")
        await ask(world, keepReplaced="1s", confirm="orders", safetyBackup=False)
        done = await until_phase(world, "Succeeded", "Failed")
        assert done["phase"] == "Succeeded", done["message"]
        await asyncio.sleep(2)
        assert await restore_jobs(world, "DropReplaced") == []
        faulty.date_shift = timedelta(0)

        async def dropped():
            return (await world.get(RESTORES, "back"))["status"].get("droppedTime")

        await until(dropped, "what was replaced is dropped")


async def test_a_namespace_that_is_being_deleted_is_told_and_not_stormed(
    world, agent, faulty, probe, through
):
    ending = Fault(403, "Forbidden", causes=("NamespaceTerminating",))
    await world.store()
    await world.policy()
    async with world.operator(**through, resync_seconds=3600) as task:
        await world.until_condition(POLICIES, "orders", "Ready", "True")
        faulty.decide = lambda asked: ending if asked.method == "POST" else None
        began = time.monotonic()
        await world.run()
        await world.until_condition(RUNS, "by-hand", "Succeeded", "Unknown", "NamespaceTerminating")
        await asyncio.sleep(3)
        assert len(faulty.since(began, "POST", "/jobs")) < 15
        assert not task.done()


async def test_what_stands_in_its_way_is_an_event_on_its_lease(world, agent, faulty, probe, through):
    faulty.decide = lambda asked: Fault(404, "NotFound") if asked.path.endswith("/restorerequests") else None
    async with world.operator(**through):
        await probe.until_unready("does not serve restorerequests", "strongroom crds")

        async def told():
            return [
                event
                for event in await world.all(EVENTS)
                if event["involvedObject"]["name"] == CONTROLLER_LEASE and event["reason"] == "NotServed"
            ]

        await until(told, "an Event on the Lease says it")
        faulty.come_back()
        await probe.until_ready()
