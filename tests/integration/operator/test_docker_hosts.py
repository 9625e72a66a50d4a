"""Docker hosts on a real API server: databases found and covered, the Engine, runs on demand, hooks, partial backups."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.embedded import until
from tests.integration.operator.plainagent import good_result
from tests.integration.operator.test_upkeep import fetch

from strongroom.kube.errors import Invalid
from strongroom.kube.kinds import HOSTS, POLICIES, RUNS

ENGINE = {"engine": {"version": "24.0.7", "apiVersion": "1.43"}}
DATABASE = {"container": "shop-db-1", "project": "shop", "service": "db", "image": "postgres:16"}
INSIDE = [{"name": "db", "postgres": {"container": {"project": "shop", "service": "db"}}}]
MEDIA = [{"name": "media", "files": {"volume": "shop_media"}}]


async def tell(world, **status: Any) -> None:
    """What the host's agent says."""
    await world.client.patch(HOSTS, world.namespace, "local", {"status": status}, subresource="status")


async def uncovered(world) -> list[str] | None:
    return (await world.get(HOSTS, "local"))["status"].get("uncovered")


async def test_a_policy_without_a_schedule_runs_when_asked_and_never_by_itself(world, agent):
    await world.store()
    made = await world.policy(schedule=None)
    assert "schedule" not in made["spec"]
    async with world.operator():
        await world.until_condition(POLICIES, "orders", "Fresh", "Unknown", "OnDemand")
        await world.until_condition(POLICIES, "orders", "Ready", "True")
        await world.run()
        await world.until_phase("Succeeded")

        async def known():
            return (await world.get(POLICIES, "orders"))["status"].get("lastSuccess")

        await until(known, "the policy knows of its backup")
        world.clock.shift = timedelta(days=400)
        await asyncio.sleep(1.5)
        status = (await world.get(POLICIES, "orders"))["status"]
        assert not {"nextScheduleTime", "freshUntil", "lastScheduleTime"} & set(status)
        assert len(await world.all(RUNS)) == 1
        assert (await world.condition(POLICIES, "orders", "Fresh"))["reason"] == "OnDemand"


async def test_an_age_that_is_asked_for_makes_a_policy_on_demand_stale(world, agent):
    await world.store()
    await world.policy(schedule=None, freshness={"maxAge": "7d"})
    async with world.operator():
        await world.until_condition(POLICIES, "orders", "Fresh", "False", "NoVerifiedBackup")
        await world.run()
        await world.until_condition(POLICIES, "orders", "Fresh", "True")
        world.clock.shift = timedelta(days=8)
        await world.until_condition(POLICIES, "orders", "Fresh", "False", "Stale")


async def test_a_schedule_that_is_taken_away_takes_its_next_run_and_freshness_with_it(world, agent):
    await world.store()
    await world.policy()
    async with world.operator():
        await world.until_condition(POLICIES, "orders", "Fresh", "False")
        await world.client.patch(POLICIES, world.namespace, "orders", {"spec": {"schedule": None}})
        await world.until_condition(POLICIES, "orders", "Fresh", "Unknown", "OnDemand")
        assert "nextScheduleTime" not in (await world.get(POLICIES, "orders"))["status"]


async def test_an_empty_schedule_is_refused_by_the_server(world):
    with pytest.raises(Invalid, match=r"spec\.schedule"):
        await world.policy(schedule="")


async def test_a_database_found_on_a_host_is_uncovered_until_a_policy_dumps_it(world, agent, tmp_path):
    port_file = tmp_path / "port"
    await world.store()
    async with world.operator(metrics_port_file=port_file):
        await world.until_condition(HOSTS, "local", "DatabasesCovered", "Unknown", "NotLooked")
        await tell(world, **ENGINE, databases=[DATABASE])
        found = await world.until_condition(HOSTS, "local", "DatabasesCovered", "False", "DatabasesUncovered")
        assert "shop/db (container shop-db-1)" in found["message"]
        assert await uncovered(world) == ["shop-db-1"]
        await world.until_condition(HOSTS, "local", "EngineReady", "True")
        port = await asyncio.to_thread(port_file.read_text)
        text = await asyncio.to_thread(fetch, f"http://127.0.0.1:{int(port)}/metrics")
        labels = f'host="local",namespace="{world.namespace}"'
        assert f"strongroom_host_uncovered_databases{{{labels}}} 1.0" in text
        await world.policy(sources=INSIDE)
        await world.until_condition(HOSTS, "local", "DatabasesCovered", "True", "Covered")
        assert await uncovered(world) is None


async def test_a_policy_that_starts_no_runs_covers_nothing(world, agent):
    await world.store()
    await world.policy(sources=INSIDE)
    await tell(world, **ENGINE, databases=[DATABASE])
    async with world.operator():
        await world.until_condition(HOSTS, "local", "DatabasesCovered", "True")
        changes = ({"suspend": True}, {"suspend": False, "stores": ["absent"]}, {"timeZone": "Nowhere/Else"})
        for change in changes:
            await world.client.patch(POLICIES, world.namespace, "orders", {"spec": change})
            await world.until_condition(HOSTS, "local", "DatabasesCovered", "False")
            mended = {"suspend": False, "stores": ["vault"], "timeZone": "UTC"}
            await world.client.patch(POLICIES, world.namespace, "orders", {"spec": mended})
            await world.until_condition(HOSTS, "local", "DatabasesCovered", "True")
        policy = await world.get(POLICIES, "orders")
        await world.client.delete(POLICIES, world.namespace, "orders", uid=policy["metadata"]["uid"])
        await world.until_condition(HOSTS, "local", "DatabasesCovered", "False")


async def test_what_needs_the_engine_waits_until_it_answers_again(world, agent):
    await world.store()
    await world.policy(sources=INSIDE)
    await tell(world, engine={"problem": "connection refused"}, databases=[])
    async with world.operator():
        await world.until_condition(HOSTS, "local", "EngineReady", "False", "EngineUnreachable")
        await world.until_condition(POLICIES, "orders", "Ready", "False", "EngineUnreachable")
        await world.run()
        await world.until_condition(RUNS, "by-hand", "Succeeded", "Unknown", "EngineUnreachable")
        await tell(world, engine={"version": "24.0.7", "problem": None})
        await world.until_phase("Succeeded")
        await world.until_condition(POLICIES, "orders", "Ready", "True")


async def test_configuration_in_the_clear_is_refused_unless_allowed(world, agent):
    await world.store()
    config: dict[str, Any] = {"paths": ["/srv/shop/.env"]}
    await world.policy(schedule=None, sources=[{"name": "db", "config": config}])
    async with world.operator():
        await world.until_condition(POLICIES, "orders", "Ready", "False", "EncryptionRequired")
        await world.run("refused")
        await world.until_phase("Failed", run="refused")
        allowed = [{"name": "db", "config": config | {"allowUnencrypted": True}}]
        await world.client.patch(POLICIES, world.namespace, "orders", {"spec": {"sources": allowed}})
        await world.until_condition(POLICIES, "orders", "Ready", "True")
        await world.run("allowed")
        await world.until_phase("Succeeded", run="allowed")


async def test_runs_that_stop_the_same_service_wait_for_each_other(world, agent):
    agent.seconds = 0.3
    agent.behave = lambda order: good_result(order, artifacts=[media_artifact(order)])
    await tell(world, **ENGINE)
    await world.store()
    hooks = {"stop": [{"project": "shop", "service": "web"}]}
    for name in ("orders", "twin"):
        await world.policy(name, sources=MEDIA, hooks=hooks)
    async with world.operator():
        found = await world.until_condition(POLICIES, "orders", "TargetShared", "True")
        assert "twin" in found["message"]
        await world.run("a", policy="orders")
        await world.run("b", policy="twin")
        runs = await world.until_runs(2)
        assert {run["status"]["phase"] for run in runs} == {"Succeeded"}
        assert agent.most_at_work == 1


def media_artifact(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    artifact = good_result(order)["artifacts"][0]
    del artifact["database"]
    return artifact | {"source": "media", "kind": "files", "file": "media.tar.zst"} | changes


async def test_a_partial_backup_is_told_and_makes_no_policy_fresh(world, agent):
    def change(order):
        if order["kind"] != "Backup":
            return good_result(order)
        said = {"outcome": "Partial", "reason": "FilesChanged", "message": "media: 2 files changed"}
        return good_result(order, artifacts=[media_artifact(order, changedCount=2)], **said)

    agent.behave = change
    await tell(world, **ENGINE)
    await world.store()
    await world.policy(sources=MEDIA)
    async with world.operator():
        await world.run()
        run = await world.until_phase("Partial")
        (said,) = [each for each in run["status"]["conditions"] if each["type"] == "Succeeded"]
        assert (said["status"], said["reason"]) == ("False", "FilesChanged")
        assert run["status"]["artifacts"][0]["changedCount"] == 2

        async def told():
            status = (await world.get(POLICIES, "orders"))["status"]
            return status.get("lastRunPhase") == "Partial" and status

        status = await until(told, "the policy tells of the partial run")
        assert "FilesChanged" in status["message"]
        assert status["artifactCount"] == 1
        assert "lastSuccess" not in status
        await world.until_condition(POLICIES, "orders", "Fresh", "False", "NoVerifiedBackup")
