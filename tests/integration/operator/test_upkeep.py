"""What the operator keeps true beside the runs: history, pruning, stores, metrics, liveness."""

import asyncio
import urllib.error
import urllib.request

from tests.integration.embedded import until
from tests.integration.operator.plainagent import good_result

from strongroom.api.labels import STORE_LABEL
from strongroom.kube.kinds import JOBS, POLICIES, RUNS, STORES


def failing(order):
    if order["kind"] == "Backup":
        return good_result(
            order, outcome="Failed", reason="SourceUnreachable", message="no route", artifacts=[], copies=[]
        )
    return good_result(order)


async def test_only_the_newest_finished_runs_without_artifacts_are_kept(world, agent):
    await world.store()
    await world.policy(runHistoryLimit=2)
    async with world.operator():
        await world.run("good")
        await world.until_phase("Succeeded", run="good")
        agent.behave = failing
        for number in range(5):
            await world.run(f"bad{number}")
            await asyncio.sleep(0.05)

        async def few():
            names = {run["metadata"]["name"] for run in await world.all(RUNS)}
            return names if len(names) == 3 else None

        assert "good" in await until(few, "three runs are left")


async def test_a_run_whose_artifacts_retention_deleted_is_marked_and_then_history(world, agent):
    await world.store()
    await world.policy(runHistoryLimit=1, retention={"keepLast": 1})
    orders = []

    def prune(order):
        if order["kind"] != "Backup":
            return good_result(order)
        orders.append(order)
        earlier = [done["backup"]["run"] for done in orders[:-1]]
        return good_result(order, retention=[{"store": "vault", "kept": 1, "deletedRuns": earlier}])

    agent.behave = prune
    async with world.operator():
        await world.run("held", hold=True)
        await world.until_phase("Succeeded", run="held")
        await world.run("one")
        await world.until_phase("Succeeded", run="one")

        async def marked():
            return (await world.get(RUNS, "held"))["status"].get("prunedTime")

        await until(marked, "the run is marked as pruned")
        assert orders[-1]["backup"]["heldRuns"] == ["held"]

        async def counted():
            return (await world.get(POLICIES, "orders"))["status"].get("artifactCount") == 1

        await until(counted, "one recovery point is left")


async def test_a_store_is_checked_and_its_check_job_removed(world, agent):
    await world.store()
    async with world.operator():
        await world.until_condition(STORES, "vault", "Ready", "True")
        status = (await world.get(STORES, "vault"))["status"]
        assert (status["artifactCount"], status["totalBytes"], status["type"]) == (3, 30, "local")

        async def clean():
            return not [job for job in await world.all(JOBS) if STORE_LABEL in job["metadata"]["labels"]]

        await until(clean, "no check Job is left")


async def test_a_store_that_complains_makes_its_policies_unready_with_its_own_words(world, agent):
    def complain(order):
        report = {
            "store": "vault",
            "ready": False,
            "reason": "StoreMissing",
            "message": "/backups: no such folder",
        }
        return good_result(order, outcome="Failed", reason="StoreMissing", stores=[report])

    agent.behave = complain
    await world.store()
    await world.policy()
    async with world.operator():
        found = await world.until_condition(STORES, "vault", "Ready", "False", "StoreMissing")
        assert "no such folder" in found["message"]
        await world.until_condition(POLICIES, "orders", "Ready", "False", "StoreMissing")
        agent.behave = good_result
        await world.client.patch(STORES, world.namespace, "vault", {"spec": {"local": {"path": "/other"}}})
        await world.until_condition(STORES, "vault", "Ready", "True")
        await world.until_condition(POLICIES, "orders", "Ready", "True")


def fetch(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read().decode()


async def test_metrics_are_there_again_after_a_restart(world, agent, tmp_path):
    port_file = tmp_path / "port"
    await world.store()
    await world.policy()

    async def metrics():
        port = int(port_file.read_text())
        return await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/metrics")

    async def tell(line):
        async def told():
            return line in await metrics()

        await until(told, line)

    labels = f'namespace="{world.namespace}",policy="orders"'
    succeeded = f'namespace="{world.namespace}",outcome="Succeeded",policy="orders"'
    async with world.operator(metrics_port_file=port_file):
        await world.run()
        await world.until_phase("Succeeded")
        await tell(f"strongroom_policy_fresh{{{labels}}} 1.0")
    port_file.unlink()
    async with world.operator(metrics_port_file=port_file):
        await until(lambda: asyncio.to_thread(port_file.exists), "the port is known")
        await tell(f"strongroom_policy_fresh{{{labels}}} 1.0")
        await tell(f"strongroom_runs_total{{{succeeded}}} 1.0")
        await tell(f"strongroom_policy_size_bytes{{{labels}}} 5.0")
        text = await metrics()
        for name in (
            "last_success_timestamp_seconds",
            "age_seconds",
            "expected_interval_seconds",
            "duration_seconds",
        ):
            assert f"strongroom_policy_{name}{{{labels}}}" in text
        port = int(port_file.read_text())
        assert (await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/healthz")).startswith("ok")


async def test_nothing_is_written_while_nothing_happens(world, agent):
    await world.store()
    await world.policy()
    async with world.operator(tick_seconds=0.2, resync_seconds=0.5):
        await world.run()
        await world.until_phase("Succeeded")
        await world.until_condition(STORES, "vault", "Ready", "True")
        await asyncio.sleep(2)

        async def versions():
            kinds = (POLICIES, RUNS, STORES, JOBS)
            return [each["metadata"]["resourceVersion"] for kind in kinds for each in await world.all(kind)]

        before = await versions()
        await asyncio.sleep(2)
        assert await versions() == before


async def test_two_stores_that_are_one_place_say_so_until_one_moves(world, agent):
    await world.store(path="/backups")
    await world.policy()
    async with world.operator():
        await world.until_condition(STORES, "vault", "Ready", "True")
        assert await world.condition(STORES, "vault", "PlaceShared") == {}
        await world.store("twin", path="/backups/")
        for name, other in (("vault", "twin"), ("twin", "vault")):
            found = await world.until_condition(STORES, name, "PlaceShared", "True", "SamePlace")
            assert f"BackupStore {other}" in found["message"]
        await world.client.patch(STORES, world.namespace, "twin", {"spec": {"local": {"path": "/other"}}})

        async def alone():
            names = ("vault", "twin")
            return not any([await world.condition(STORES, name, "PlaceShared") for name in names])

        await until(alone, "neither is told to share its place")
