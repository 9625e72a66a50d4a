"""Operators that learn from the stores what there is."""

import asyncio
import json
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.embedded import until
from tests.integration.operator.shelves import Shelves, point

from strongroom.api.labels import ADOPT_ANNOTATION, FOUND_LABEL, SYNC_REQUESTED_ANNOTATION
from strongroom.kube.kinds import HOSTS, JOBS, POLICIES, RUNS, STORES


@pytest.fixture
def shelves(agent):
    shelves = Shelves()
    agent.behave = shelves.behave
    return shelves


async def until_synced(world, store="vault"):
    """Ask for a sync and wait for its end; the store's status."""
    request = datetime.now(UTC).isoformat()
    asked = {"metadata": {"annotations": {SYNC_REQUESTED_ANNOTATION: request}}}
    await world.client.patch(STORES, world.namespace, store, asked)

    async def answered():
        status = (await world.get(STORES, store)).get("status", {})
        return status if status.get("lastSyncRequest") == request else None

    return await until(answered, f"store {store} was synced", seconds=60)


async def _answered(world, request):
    return (await world.get(STORES, "vault"))["status"].get("lastSyncRequest") == request


def copies_of(run):
    return {copy["store"]: (copy["state"], copy.get("reason")) for copy in run["status"].get("copies", [])}


async def judged_versions(world):
    """Every run's version, once nothing is left to be written of any."""
    runs = await world.all(RUNS)
    if any(len(run["status"]["conditions"]) < 2 for run in runs):
        return None
    return {run["metadata"]["name"]: run["metadata"]["resourceVersion"] for run in runs}


async def test_an_empty_control_plane_learns_every_backup_from_two_stores_and_starts_none(
    world, agent, shelves
):
    shelves.size = 3
    shelves.points = {
        "vault": [point(f"orders-{n:02}", f"uid-{n}") for n in range(8)],
        "second": [point(f"orders-{n:02}", f"uid-{n}") for n in range(6, 10)],
    }
    await world.store()
    await world.store("second", "/second")
    async with world.operator():
        runs = await world.until_runs(10)
        status = await until_synced(world)
        await until_synced(world, "second")
        assert (status["pointsFound"], status["pointsDamaged"], status["pointsRefused"]) == (8, 0, 0)
        found = {run["metadata"]["name"]: run for run in await world.all(RUNS)}
        assert set(copies_of(found["orders-07"])) == {"vault", "second"}
        assert set(copies_of(found["orders-09"])) == {"second"}
        first = found["orders-00"]
        assert first["status"]["phase"] == "Succeeded"
        assert first["status"]["policyUid"] == "earlier"
        assert first["status"]["completionTime"] == shelves.points["vault"][0]["finishedAt"]
        assert first["spec"]["slot"] == shelves.points["vault"][0]["slot"]
        assert "ownerReferences" not in first["metadata"]
        versions = await until(lambda: judged_versions(world), "3-2-1 was judged of every run")
        await until_synced(world)
        assert await judged_versions(world) == versions
    assert len(runs) == 10
    assert await world.jobs() == []
    assert not shelves.backups


def reconciles(port_file):
    """How often this operator has looked at an object."""
    url = f"http://127.0.0.1:{int(port_file.read_text())}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    line = next(each for each in text.splitlines() if each.startswith("strongroom_reconcile_seconds_count"))
    return float(line.split()[-1])


async def test_an_operator_whose_host_is_down_waits_for_it_without_turning_in_circles(
    world, agent, shelves, tmp_path
):
    shelves.points = {"vault": [point("orders-01", "uid-1")]}
    await world.store()
    async with world.operator():
        await world.until_phase("Succeeded", run="orders-01")
    await agent.die()
    port = tmp_path / "metrics.port"
    async with world.operator(metrics_port_file=port, tick_seconds=2):
        await world.until_condition(HOSTS, "local", "Ready", "False")
        asked = {"metadata": {"annotations": {SYNC_REQUESTED_ANNOTATION: "while it is down"}}}
        await world.client.patch(STORES, world.namespace, "vault", asked)
        before = await asyncio.to_thread(reconciles, port)
        await asyncio.sleep(2)  # time to turn in
        assert await asyncio.to_thread(reconciles, port) - before < 30
        await agent.register()
        await until(lambda: _answered(world, "while it is down"), "the request is answered in the end")


async def test_a_policy_applied_anew_counts_its_history_and_deletes_none_of_it_unless_told(
    world, agent, shelves
):
    shelves.points = {"vault": [point("orders-01", "uid-1", minutes=5)]}
    await world.store()
    policy = await world.policy(schedule="0 0 * * *", retention={"keepLast": 1})
    async with world.operator():
        await world.until_condition(POLICIES, "orders", "Fresh", "True")
        told = await world.until_condition(POLICIES, "orders", "ForeignHistory", "True")
        assert f"{ADOPT_ANNOTATION}=earlier" in told["message"]
        assert (await world.get(POLICIES, "orders"))["status"]["lastSuccess"]["run"] == "orders-01"
        await world.run("own")
        await world.until_phase("Succeeded", run="own")
        assert shelves.backups[-1]["backup"]["policyUid"] == policy["metadata"]["uid"]
        assert not shelves.backups[-1]["backup"].get("adoptedUids")
        adopted = {"metadata": {"annotations": {ADOPT_ANNOTATION: "earlier"}}}
        await world.client.patch(POLICIES, world.namespace, "orders", adopted)

        async def no_longer_foreign():
            return not await world.condition(POLICIES, "orders", "ForeignHistory")

        await until(no_longer_foreign, "the history is adopted")
        await world.run("next")
        await world.until_phase("Succeeded", run="next")
        assert shelves.backups[-1]["backup"]["adoptedUids"] == ["earlier"]


async def test_a_copy_that_has_gone_is_no_backup_and_one_that_is_back_is(world, agent, shelves):
    shelves.points = {"vault": [point("orders-01", "uid-1", minutes=5)]}
    await world.store()
    await world.policy(schedule="0 0 * * *")
    async with world.operator():
        await world.until_phase("Succeeded", run="orders-01")
        await world.until_condition(POLICIES, "orders", "Fresh", "True")
        kept, shelves.points = shelves.points, {}
        await until_synced(world)
        run = await world.get(RUNS, "orders-01")
        assert copies_of(run) == {"vault": ("Failed", "CopyMissing")}
        assert run["status"]["phase"] == "Succeeded"
        await world.until_condition(POLICIES, "orders", "Fresh", "False", "NoVerifiedBackup")
        shelves.points = kept
        await until_synced(world)
        assert copies_of(await world.get(RUNS, "orders-01")) == {"vault": ("Succeeded", None)}
        await world.until_condition(POLICIES, "orders", "Fresh", "True")


async def test_a_run_whose_status_was_lost_is_never_started_and_completed_later(world, agent, shelves):
    shelves.points = {"vault": [point("orders-01", "uid-1"), point("orders-02", "uid-2")]}
    await world.store()
    await world.policy()
    async with world.operator(resync_seconds=1):
        await world.until_condition(STORES, "vault", "Ready", "True")
        await world.until_runs(2)
        await world.client.delete(RUNS, world.namespace, "orders-01")
        world.operator_client.fails = True
        asked = {"metadata": {"annotations": {SYNC_REQUESTED_ANNOTATION: "again"}}}
        await world.client.patch(STORES, world.namespace, "vault", asked)

        async def refused():
            run = await world.get(RUNS, "orders-01")
            return run if run and world.operator_client.refused > 2 else None

        run = await until(refused, "the run is there without a status")
        assert run["metadata"]["labels"][FOUND_LABEL] == "vault"
        assert "status" not in run or run["status"].get("phase", "Pending") == "Pending"
        world.operator_client.fails = False
        await world.until_phase("Succeeded", run="orders-01")
    assert await world.jobs() == []


async def test_what_cannot_be_trusted_or_read_is_told_and_not_rebuilt(world, agent, shelves):
    shelves.points = {
        "vault": [
            point("orders-01", "uid-1"),
            point("orders-02", "uid-2", signature="Invalid"),
            point("orders-03", "uid-3", complete=False),
        ]
    }
    shelves.damaged = ["default/orders/broken"]
    await world.store()
    async with world.operator():
        told = await world.until_condition(STORES, "vault", "Synced", "False", "PointsRefused")
        status = (await world.get(STORES, "vault"))["status"]
        assert (status["pointsFound"], status["pointsDamaged"], status["pointsRefused"]) == (1, 2, 1)
        assert "default/orders/orders-02" in told["message"]
        assert [run["metadata"]["name"] for run in await world.all(RUNS)] == ["orders-01"]


async def test_a_run_of_another_uid_under_the_same_name_keeps_its_own(world, agent, shelves):
    await world.store()
    await world.policy()
    async with world.operator():
        await world.run("orders-01")
        await world.until_phase("Succeeded", run="orders-01")
        own = await world.get(RUNS, "orders-01")
        mine = point("orders-01", own["metadata"]["uid"])
        mine["recoveryPoint"] = own["status"]["recoveryPoint"]
        shelves.points = {"vault": [mine, point("orders-01", "uid-1")]}
        await until_synced(world)
        names = {run["metadata"]["name"] for run in await world.all(RUNS)}
        assert len(names) == 2
        other = await world.get(RUNS, (names - {"orders-01"}).pop())
        assert other["metadata"]["annotations"]["strongroom.dev/origin-run"] == "orders-01"
        assert (await world.get(RUNS, "orders-01"))["status"] == own["status"]


async def test_a_listing_that_fails_changes_nothing_and_is_told(world, agent, shelves):
    shelves.points = {"vault": [point("orders-01", "uid-1")]}
    await world.store()
    async with world.operator():
        await world.until_phase("Succeeded", run="orders-01")
        before = copies_of(await world.get(RUNS, "orders-01"))
        good = agent.behave

        def broken(order):
            if order["kind"] != "Catalogue":
                return good(order)
            return good(order) | {
                "outcome": "Failed",
                "reason": "StoreFailed",
                "message": "reset",
                "catalogue": None,
            }

        agent.behave = broken
        await until_synced(world)
        assert (await world.condition(STORES, "vault", "Synced"))["reason"] == "StoreFailed"
        assert copies_of(await world.get(RUNS, "orders-01")) == before
        found = [job for job in await world.all(JOBS) if '"Catalogue"' in json.dumps(job)]
        assert found == []


async def test_it_is_read_again_on_a_schedule_and_after_a_restart(world, agent, shelves):
    await world.store()
    async with world.operator():
        await world.until_condition(STORES, "vault", "Synced", "True")
        once = shelves.listings
        world.clock.shift = timedelta(hours=8)
        await until(lambda: _more(shelves, once), "the catalogue is read again")
    world.clock.shift = timedelta(0)
    twice = shelves.listings
    async with world.operator():
        await until(lambda: _more(shelves, twice), "a new operator reads it")


async def _more(shelves, count):
    return shelves.listings > count


async def test_a_listing_is_told_what_was_made_lately_so_that_one_which_is_behind_calls_nothing_missing(
    world, agent, shelves
):
    await world.store()
    await world.policy()

    async def told():
        await until_synced(world)
        return shelves.expected

    async with world.operator():
        await world.run()
        run = await world.until_phase("Succeeded")
        assert await until(told, "a listing looks for it") == [run["status"]["recoveryPoint"]]
