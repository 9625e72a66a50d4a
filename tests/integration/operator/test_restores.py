"""A request from its creation to the end of what it replaced, on a real API server."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.embedded import until
from tests.integration.operator.plainagent import SHA, good_result

from strongroom.api.fields import format_time
from strongroom.kube.errors import Invalid
from strongroom.kube.kinds import JOBS, POLICIES, RESTORES, RUNS


def plan_for(
    order: dict[str, Any], *, overwrites: bool = True, confirmation: str | None = "orders"
) -> dict[str, Any]:
    item = {"source": "db", "kind": "database", "file": "db/orders.dump.zst", "database": "orders"}
    return {
        "recoveryPoint": "default/orders/x",
        "run": order["restore"]["choice"].get("run") or "by-hand",
        "slot": "2026-11-22T02:00:00Z",
        "manifestSha256": SHA,
        "stores": ["vault"],
        "confirmation": confirmation,
        "items": [item | {"into": "orders", "overwrites": overwrites}],
        "lines": ["orders will be replaced"],
    }


def outcome() -> dict[str, Any]:
    now = format_time(datetime.now(UTC))
    step = {"name": "Swap", "state": "Succeeded", "startedAt": now, "finishedAt": now}
    kept = {"source": "db", "kind": "database", "original": "orders", "keptAs": "orders_old"}
    check = {"name": "rows of public.orders", "passed": True, "expected": "3", "found": "3"}
    return {"steps": [step], "store": "vault", "checks": [check], "replaced": [kept], "restoreSeconds": 1.5}


def behave(order: dict[str, Any]) -> dict[str, Any]:
    """A worker that restores as it should."""
    if order["kind"] == "PlanRestore":
        in_place = order["restore"]["mode"] == "InPlace"
        plan = plan_for(order, overwrites=in_place, confirmation="orders" if in_place else None)
        return good_result(order, plan=plan)
    if order["kind"] == "Restore":
        return good_result(order, restore=outcome())
    return good_result(order)


@pytest.fixture
async def ready(world, agent):
    agent.behave = behave
    await world.store()
    await world.policy()
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        yield world


async def ask(world, name: str = "back", **spec: Any) -> None:
    base = {"from": {"run": "by-hand"}, "target": {"mode": "InPlace"}}
    await world.client.create(RESTORES, world.namespace, {"metadata": {"name": name}, "spec": base | spec})


async def confirm(world, text: str, name: str = "back") -> None:
    await world.client.patch(RESTORES, world.namespace, name, {"spec": {"confirm": text}})


async def until_phase(world, *phases: str, name: str = "back") -> dict[str, Any]:
    async def reached():
        found = (await world.get(RESTORES, name)).get("status", {})
        return found if found.get("phase") in phases else None

    return await until(reached, f"request {name} is {' or '.join(phases)}", seconds=60)


async def restore_jobs(world, kind: str = "Restore") -> list[dict[str, Any]]:
    found = [
        job
        for job in await world.all(JOBS)
        if job["metadata"]["ownerReferences"][0]["kind"] == "RestoreRequest"
    ]
    orders = [
        job["spec"]["template"]["metadata"]["annotations"]["strongroom.dev/work-order"] for job in found
    ]
    return [job for job, order in zip(found, orders, strict=True) if f'"kind":"{kind}"' in order]


def _order_of(job: dict[str, Any]) -> dict[str, Any]:
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    order: dict[str, Any] = json.loads(annotations["strongroom.dev/work-order"])
    return order


async def test_a_request_in_place_waits_for_its_confirmation_is_secured_and_minds_what_it_replaced(ready):
    await ask(ready, deadline="7d")  # the server's clock is not moved with ours
    waiting = await until_phase(ready, "AwaitingConfirmation")
    assert waiting["plan"]["confirmation"] == "orders"
    assert "set spec.confirm to 'orders'" in waiting["message"]
    await confirm(ready, "order")

    async def told():
        return "is 'order' and not" in (await ready.get(RESTORES, "back"))["status"]["message"]

    await until(told, "the wrong confirmation is told")
    assert await restore_jobs(ready) == []
    await confirm(ready, "orders")
    done = await until_phase(ready, "Succeeded", "Failed")
    assert done["phase"] == "Succeeded", done["message"]
    assert [step["name"] for step in done["steps"]] == ["SafetyBackup", "Swap"]
    safety = await ready.get(RUNS, done["safetyRun"])
    assert safety["spec"] == {"policy": "orders", "reason": "Safety", "sources": ["db"], "hold": False}
    assert done["replaced"][0]["keptAs"] == "orders_old"
    assert "kept until" in done["message"]
    (order,) = [_order_of(job) for job in await restore_jobs(ready)]
    assert order["restore"]["overwrites"] == [{"source": "db", "database": "orders"}]
    # A clock that leaps is believed for what comes after it, and drops nothing of what was kept before.
    ready.clock.shift = timedelta(hours=24, minutes=1)
    await ask(ready, "soon", deadline="7d", keepReplaced="1s", confirm="orders", safetyBackup=False)
    done = await until_phase(ready, "Succeeded", "Failed", name="soon")
    assert done["phase"] == "Succeeded", done["message"]

    async def dropped():
        return (await ready.get(RESTORES, "soon"))["status"].get("droppedTime")

    await until(dropped, "what was replaced is dropped", seconds=60)
    assert "is gone since" in (await ready.get(RESTORES, "soon"))["status"]["message"]
    assert "droppedTime" not in (await ready.get(RESTORES, "back"))["status"]


async def test_a_new_database_needs_no_confirmation_and_no_safety_backup(ready):
    await ask(ready, target={"mode": "NewDatabase", "database": "orders_copy"})
    done = await until_phase(ready, "Succeeded", "Failed")
    assert done["phase"] == "Succeeded", done["message"]
    assert "safetyRun" not in done
    assert [run["metadata"]["name"] for run in await ready.all(RUNS)] == ["by-hand"]


async def test_nothing_is_touched_when_the_safety_backup_fails(ready, agent):
    def failing(order):
        if order["kind"] == "Backup":
            return good_result(
                order, outcome="Failed", reason="DumpFailed", message="it broke", artifacts=[], copies=[]
            )
        return behave(order)

    agent.behave = failing
    await ask(ready, confirm="orders")
    done = await until_phase(ready, "Succeeded", "Failed")
    assert done["phase"] == "Failed"
    assert "nothing was touched" in done["message"]
    assert "DumpFailed" in done["message"]
    assert await restore_jobs(ready) == []


async def test_a_restore_waits_for_a_backup_of_its_target_and_backups_for_it(ready, agent):
    agent.behave = lambda order: None if order["kind"] in ("Backup", "Restore") else behave(order)
    await ready.run("at-work")
    await ready.until_phase("Running", run="at-work")
    await ask(ready, confirm="orders", safetyBackup=False)

    async def waits():
        return (await ready.condition(RESTORES, "back", "Succeeded")).get("reason") == "TargetBusy"

    await until(waits, "the request waits for the run")
    (job,) = [each for each in await ready.jobs() if "at-work" in each["metadata"]["name"]]
    await agent.end(job["metadata"]["name"], good_result(order_of(job)))
    await until_phase(ready, "Running")
    await ready.run("later")

    async def waits_too():
        found = await ready.condition(RUNS, "later", "Succeeded")
        return found.get("reason") == "TargetBusy" and "RestoreRequest back" in found["message"]

    await until(waits_too, "the run waits for the request")
    (job,) = await restore_jobs(ready)
    await agent.end(job["metadata"]["name"], behave(order_of(job)))
    await until_phase(ready, "Succeeded")
    await ready.until_phase("Running", run="later")


def order_of(job: dict[str, Any]) -> dict[str, Any]:
    return json.loads(job["spec"]["template"]["metadata"]["annotations"]["strongroom.dev/work-order"])


async def test_a_restore_whose_job_is_deleted_has_failed_and_is_not_begun_again(ready, agent):
    agent.behave = lambda order: None if order["kind"] == "Restore" else behave(order)
    await ask(ready, confirm="orders", safetyBackup=False)
    await until_phase(ready, "Running")
    (job,) = await restore_jobs(ready)
    await ready.client.delete(JOBS, ready.namespace, job["metadata"]["name"])
    done = await until_phase(ready, "Succeeded", "Failed")
    assert (done["phase"], done["conditions"][0]["reason"]) == ("Failed", "Cancelled")
    assert await restore_jobs(ready) == []


async def test_writes_that_fail_and_operators_that_restart_make_one_restore_of_one_request(world, agent):
    agent.behave = lambda order: None if order["kind"] == "Restore" else behave(order)
    await world.store()
    await world.policy()
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        world.operator_client.fails = True
        await ask(world, confirm="orders")
        await asyncio.sleep(1)
        world.operator_client.fails = False
        await until_phase(world, "Running")
        world.operator_client.fails = True
        (job,) = await restore_jobs(world)
    async with world.operator():
        await agent.end(job["metadata"]["name"], behave(order_of(job)))
        done = await until_phase(world, "Succeeded", "Failed")
        assert done["phase"] == "Succeeded"
        assert [each["metadata"]["uid"] for each in await restore_jobs(world)] == [job["metadata"]["uid"]]
        assert len(await world.all(RUNS)) == 2


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"from": {"run": "nowhere"}}, "BackupNotFound", "spec.from.run: there is no BackupRun nowhere"),
        ({"from": {"policy": "ghost", "latest": True}}, "PolicyNotFound", "needs the BackupPolicy ghost"),
        (
            {"from": {"run": "by-hand", "sources": ["media"]}},
            "InvalidSpec",
            "there is no source media; there are: db",
        ),
        ({"from": {"run": "by-hand", "store": "moon"}}, "StoreNotFound", "there is no BackupStore moon"),
        (
            {"target": {"mode": "InPlace", "postgres": {"host": "other"}}, "strategy": "Clean"},
            "InvalidSpec",
            "there would be no way back",
        ),
    ],
)
async def test_a_request_that_cannot_be_carried_out_names_field_and_way_out(ready, spec, reason, words):
    await ask(ready, **spec)
    ready.clock.shift = timedelta(seconds=40)
    done = await until_phase(ready, "Failed")
    assert done["conditions"][0]["reason"] == reason
    assert words in done["message"]
    assert await restore_jobs(ready, "PlanRestore") == []


async def test_two_requests_for_one_database_take_turns(ready, agent):
    agent.behave = lambda order: None if order["kind"] == "Restore" else behave(order)
    await ask(ready, "first", confirm="orders", safetyBackup=False)
    await until_phase(ready, "Running", name="first")
    await ask(ready, "second", confirm="orders", safetyBackup=False)

    async def waits():
        found = await ready.condition(RESTORES, "second", "Succeeded")
        return found.get("reason") == "TargetBusy" and "RestoreRequest first" in found["message"]

    await until(waits, "the second request waits for the first")
    (job,) = await restore_jobs(ready)
    await agent.end(job["metadata"]["name"], behave(order_of(job)))
    await until_phase(ready, "Succeeded", name="first")
    await until_phase(ready, "Running", name="second")


@pytest.mark.parametrize(
    "change",
    [
        {"target": {"mode": "NewDatabase", "database": "x"}},
        {"from": {"run": "another"}},
        {"safetyBackup": False},
        {"keepReplaced": "1s"},
        {"stopServices": [{"name": "web"}]},
        {"healthCheck": {"url": "http://localhost/"}},
        {"jobs": 2},
    ],
)
async def test_a_request_is_what_it_was_made_as_but_for_its_confirmation(ready, change):
    await ask(ready)
    with pytest.raises(Invalid, match="immutable"):
        await ready.client.patch(RESTORES, ready.namespace, "back", {"spec": change})


async def test_an_ended_request_is_not_begun_again_by_another_confirmation(ready):
    await ask(ready, confirm="orders", safetyBackup=False)
    before = await until_phase(ready, "Succeeded", "Failed")
    await confirm(ready, "something else")

    async def seen():
        return (await ready.get(RESTORES, "back"))["metadata"]["generation"] == 2

    await until(seen, "the change is there")
    await ready.run("later")
    await ready.until_phase("Succeeded", run="later")
    after = (await ready.get(RESTORES, "back"))["status"]
    assert (after["phase"], after["completionTime"]) == (before["phase"], before["completionTime"])
    assert len(await restore_jobs(ready)) == 1


async def test_a_policy_that_means_another_place_after_the_plan_is_not_restored_over(ready):
    await ask(ready)
    await until_phase(ready, "AwaitingConfirmation")
    postgres = {"host": "production", "user": "u", "databases": ["orders"]}
    changed = {"spec": {"sources": [{"name": "db", "postgres": postgres}]}}
    await ready.client.patch(POLICIES, ready.namespace, "orders", changed)

    async def seen():
        return (await ready.get(POLICIES, "orders"))["status"].get("observedGeneration") == 2

    await until(seen, "the operator has seen the policy's change")
    await confirm(ready, "orders")
    done = await until_phase(ready, "Succeeded", "Failed")
    assert (done["phase"], done["conditions"][0]["reason"]) == ("Failed", "ConfirmationWrong")
    assert "the policy was changed after the plan" in done["message"]
    assert await restore_jobs(ready) == []
