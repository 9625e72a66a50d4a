"""Copies that lack are caught up by Jobs that read no source, on a real API server."""

import asyncio
from datetime import timedelta

import pytest
from tests.integration.embedded import until
from tests.integration.operator.plainagent import good_result

from strongroom.kube.kinds import EVENTS, POLICIES, RUNS, STORES

MISSING = {"state": "Failed", "reason": "StoreMissing", "message": "local.path /usb: no folder"}


class Stores:
    """What an agent's workers find: stores that fail, and what was asked of them."""

    def __init__(self) -> None:
        self.down = {"usb"}
        self.busy = False
        """Whether a Job that copies goes on until the test says otherwise."""
        self.orders = []
        self.running = 0
        self.most_running = 0

    def behave(self, order):
        self.orders.append(order)
        if order["kind"] == "CheckStore":
            return good_result(order)
        if order["kind"] == "CatchUp" and self.busy:
            return None
        copies = [
            {"store": each["name"], **(MISSING if each["name"] in self.down else {"state": "Succeeded"})}
            for each in order["stores"]
        ]
        told = {"copies": copies, "manifestSha256": "ab" * 32, "contents": "Whole", "stores": []}
        if any(copy["state"] == "Failed" for copy in copies):
            told |= {"outcome": "Partial", "reason": "StoreMissing", "message": "store usb: no folder"}
        if order["kind"] == "CatchUp":
            del told["contents"], told["manifestSha256"]
        return good_result(order, **told)

    @property
    def copied(self):
        return [order["catchUp"]["recoveryPoint"] for order in self.orders if order["kind"] == "CatchUp"]


@pytest.fixture
def stores(agent):
    stores = Stores()
    agent.behave = stores.behave
    return stores


async def make_policy(world, **spec):
    await world.store()
    await world.store("usb", "/usb")
    await world.policy(stores=["vault", "usb"], **spec)


async def until_caught_up(world, run="by-hand"):
    async def caught_up():
        found = await world.get(RUNS, run)
        copies = found.get("status", {}).get("copies", [])
        return found if copies and all(copy["state"] == "Succeeded" for copy in copies) else None

    return await until(caught_up, f"the copies of run {run} are caught up", seconds=30)


async def until_attempts(world, count, run="by-hand"):
    async def tried():
        found = (await world.get(RUNS, run)).get("status", {}).get("catchUp", {})
        return found if found.get("attempts", 0) >= count else None

    return await until(tried, f"{count} attempts were made", seconds=30)


async def until_holding(world, store, points):
    async def counted():
        status = (await world.get(STORES, store))["status"]
        return status if status.get("artifactCount") == points else None

    return await until(counted, f"store {store} holds {points} recovery points", seconds=30)


async def until_no_copying(world):
    async def none():
        return not [job for job in await world.jobs() if job["metadata"]["name"].startswith("copy-")]

    await until(none, "no Job that copies is left")


async def test_a_copy_that_failed_is_caught_up_when_its_store_works_and_the_run_counts_from_then_on(
    world, stores
):
    await make_policy(world)
    async with world.operator():
        await world.run()
        run = await world.until_phase("Partial")
        assert "usb (StoreMissing" in run["status"]["message"]
        assert run["status"]["contents"] == "Whole"
        await world.until_condition(POLICIES, "orders", "Fresh", "False", "NoVerifiedBackup")
        stores.down.clear()
        world.clock.shift = timedelta(minutes=2)
        run = await until_caught_up(world)
        assert run["status"]["phase"] == "Partial"
        assert all("verifiedTime" in copy for copy in run["status"]["copies"] if copy["store"] == "usb")
        await world.until_condition(POLICIES, "orders", "Fresh", "True")
        await until_no_copying(world)
        assert (await world.get(POLICIES, "orders"))["status"]["lastSuccess"]["run"] == "by-hand"
        (order,) = [order for order in stores.orders if order["kind"] == "CatchUp"]
        assert [store["name"] for store in order["stores"]] == ["vault", "usb"]
        assert order["catchUp"]["manifestSha256"] == "ab" * 32
        assert sum(order["kind"] == "Backup" for order in stores.orders) == 1
        reasons = {(event["involvedObject"]["kind"], event["reason"]) for event in await world.all(EVENTS)}
        assert {("BackupRun", "CaughtUp"), ("BackupPolicy", "CaughtUp")} <= reasons


async def test_each_attempt_is_one_job_although_statuses_cannot_be_written_and_the_operator_dies(
    world, stores
):
    await make_policy(world, minCopies=1)
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        world.operator_client.fails = True
        world.clock.shift = timedelta(minutes=2)

        async def refused():
            return len(stores.copied) == 1 and world.operator_client.refused >= 6

        await until(refused, "the attempt's end was refused again and again")
    assert "catchUp" not in (await world.get(RUNS, "by-hand"))["status"]
    async with world.operator():
        await until_attempts(world, 1)
        await until_no_copying(world)
    async with world.operator():
        world.clock.shift = timedelta(minutes=3)
        await world.until_condition(POLICIES, "orders", "Ready", "True")
        world.clock.shift = timedelta(minutes=30)
        tried = await until_attempts(world, 2)
    assert "usb (StoreMissing" in tried["message"]
    assert len(stores.copied) == 2


async def test_a_job_that_was_counted_and_not_let_go_is_let_go_and_not_counted_twice(world, stores):
    await make_policy(world, minCopies=1)
    stores.busy = True
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        world.clock.shift = timedelta(minutes=2)

        async def copying():
            return [job for job in await world.jobs() if job["metadata"]["name"].startswith("copy-")]

        await until(copying, "a Job copies")
    counted = {"attempts": 1, "lastTime": "2026-01-01T00:00:00Z", "message": "no folder"}
    body = {"status": {"catchUp": counted}}
    await world.client.patch(RUNS, world.namespace, "by-hand", body, subresource="status")
    world.clock.shift = timedelta(0)
    await world.client.patch(POLICIES, world.namespace, "orders", {"spec": {"stores": ["vault"]}})
    async with world.operator():
        await until_no_copying(world)
    assert (await world.get(RUNS, "by-hand"))["status"]["catchUp"] == counted


async def test_the_newest_run_is_copied_first_and_one_at_a_time(world, stores):
    await make_policy(world, minCopies=1)
    async with world.operator():
        for name in ("a", "b", "c"):
            await world.run(name)
            await world.until_phase("Succeeded", run=name)
            await asyncio.sleep(1.1)  # creation times are whole seconds
        stores.down.clear()
        world.clock.shift = timedelta(minutes=2)
        for name in ("a", "b", "c"):
            await until_caught_up(world, name)
    assert stores.copied == ["default/c", "default/b", "default/a"]


async def test_a_backup_goes_before_a_copy_under_way_which_is_made_again_after_it(world, stores):
    await make_policy(world, minCopies=1)
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        stores.busy = True
        world.clock.shift = timedelta(minutes=2)

        async def copying():
            return len(stores.copied) == 1

        await until(copying, "a Job copies")
        stores.busy = False  # but for the one under way
        stores.down.clear()
        await world.run("urgent")
        await world.until_phase("Succeeded", run="urgent")
        run = await until_caught_up(world)
        assert run["status"]["catchUp"]["attempts"] == 1


async def test_a_store_that_the_policy_names_no_more_is_not_copied_to(world, stores):
    await make_policy(world, minCopies=1)
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        body = {"spec": {"stores": ["vault"]}}
        await world.client.patch(POLICIES, world.namespace, "orders", body)

        async def seen():
            policy = await world.get(POLICIES, "orders")
            return policy["status"]["observedGeneration"] == policy["metadata"]["generation"] == 2

        await until(seen, "the operator has seen the change")
        world.clock.shift = timedelta(hours=1)
        await world.run("later")
        await world.until_phase("Succeeded", run="later")
        await until_no_copying(world)
    assert stores.copied == []


async def test_three_two_one_follows_the_copies_and_what_the_stores_are_said_to_be(world, stores):
    await make_policy(world, minCopies=1)
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        for kind, name in ((POLICIES, "orders"), (RUNS, "by-hand")):
            found = await world.until_condition(kind, name, "CopiesSatisfied", "False", "TooFewCopies")
            assert "usb (StoreMissing: local.path /usb: no folder)" in found["message"]
        body = {"spec": {"media": "tape", "offsite": True}}
        await world.client.patch(STORES, world.namespace, "usb", body)
        stores.down.clear()
        world.clock.shift = timedelta(minutes=2)
        await world.until_condition(POLICIES, "orders", "CopiesSatisfied", "True")
        await world.until_condition(RUNS, "by-hand", "CopiesSatisfied", "True")
        held = (await world.get(POLICIES, "orders"))["status"]["copies"]
        assert [(each["store"], each["points"], each["lacking"]) for each in held] == [
            ("vault", 1, 0),
            ("usb", 1, 0),
        ]
        await world.client.delete(STORES, world.namespace, "usb")
        await world.until_condition(RUNS, "by-hand", "CopiesSatisfied", "False", "TooFewCopies")
        await world.until_condition(POLICIES, "orders", "CopiesSatisfied", "False", "TooFewCopies")
        await world.until_condition(POLICIES, "orders", "Ready", "False", "StoreNotFound")
        assert (await world.get(RUNS, "by-hand"))["status"]["phase"] == "Succeeded"


async def test_of_two_stores_each_has_its_own_word_points_and_bytes(world, stores, agent):
    """The run tells of both; what a store held when it last answered stays known."""

    def behave(order):
        told = stores.behave(order) | {
            "stores": [
                {"store": each["name"], "ready": False, "reason": "StoreMissing", "message": "no folder"}
                if each["name"] in stores.down
                else {"store": each["name"], "ready": True, "freeBytes": 9, "capabilities": ["Durable"]}
                for each in order["stores"]
            ]
        }
        return told if order["kind"] != "CheckStore" or not stores.down else None

    agent.behave = behave
    await make_policy(world, minCopies=1)
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        found = await world.until_condition(STORES, "usb", "Ready", "False", "StoreMissing")
        assert found["message"] == "Seen from " + f"{world.namespace}/local: no folder"
        await world.until_condition(STORES, "vault", "Ready", "True")
        vault, usb = await until_holding(world, "vault", 1), await until_holding(world, "usb", 0)
        assert (vault["totalBytes"], vault["freeBytes"], vault["capabilities"]) == (5, 9, ["Durable"])
        assert ("lastContactTime" in vault, "lastContactTime" in usb) == (True, False)
        stores.down.clear()
        world.clock.shift = timedelta(minutes=2)
        await until_caught_up(world)
        await world.until_condition(STORES, "usb", "Ready", "True")
        usb = await until_holding(world, "usb", 1)
        assert (usb["totalBytes"], "lastContactTime" in usb) == (5, True)


async def test_a_job_that_its_agent_never_ends_is_given_up_after_its_deadline_and_counted(
    world, stores, agent
):
    await make_policy(world, minCopies=1, deadline="1h")
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        stores.busy = True
        world.clock.shift = timedelta(minutes=2)

        async def copying():
            return len(stores.copied) == 1

        await until(copying, "a Job copies")
        world.clock.shift = timedelta(hours=2)
        tried = await until_attempts(world, 1)
        assert "did not end within its deadline" in tried["message"]
