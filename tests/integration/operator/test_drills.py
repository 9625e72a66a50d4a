"""Drills by schedule and by request, on a real API server."""

from datetime import timedelta
from typing import Any

import pytest
from tests.integration.embedded import until
from tests.integration.operator.plainagent import good_result
from tests.integration.operator.test_restores import ask, until_phase

from strongroom.kube.kinds import POLICIES


def drilled(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    choice = order["drill"]["choice"]
    drill = {"passed": True, "store": order["stores"][0]["name"], "recoveryPoint": choice["recoveryPoint"]}
    drill |= {"run": choice["run"], "restoreSeconds": 2.5, "checks": [], "comparedCount": 7}
    return good_result(order, drill=drill | changes)


def behave(order: dict[str, Any]) -> dict[str, Any]:
    return drilled(order) if order["kind"] == "Drill" else good_result(order)


@pytest.fixture
async def ready(world, agent):
    agent.behave = behave
    await world.store()
    # The server's clock is not moved with ours: by ours, Jobs are old from the beginning.
    await world.policy(drill={"schedule": "0 4 * * *", "targetSeconds": 60, "deadline": "7d"})
    async with world.operator():
        await world.run()
        await world.until_phase("Succeeded")
        yield world


async def test_a_due_drill_restores_the_newest_backup_and_the_policy_tells_of_it(ready):
    await ready.until_condition(POLICIES, "orders", "Drilled", "Unknown", "NotYetDrilled")
    ready.clock.shift = timedelta(days=1)
    await ready.until_condition(POLICIES, "orders", "Drilled", "True", "Passed")
    status = (await ready.get(POLICIES, "orders"))["status"]
    assert status["lastDrill"] | {"slot": "", "time": ""} == {
        "slot": "",
        "time": "",
        "passed": True,
        "run": "by-hand",
        "store": "vault",
        "restoreSeconds": 2.5,
        "targetSeconds": 60,
        "comparedCount": 7,
        "failedChecks": [],
    }
    assert "pendingDrill" not in status


async def test_a_drill_that_did_not_pass_is_an_alarm_and_one_that_could_not_run_is_tried_again(ready, agent):
    def broken(order):
        if order["kind"] != "Drill":
            return good_result(order)
        return good_result(order, outcome="Failed", reason="EngineUnreachable", message="no Engine")

    agent.behave = broken
    ready.clock.shift = timedelta(days=1)
    await ready.until_condition(POLICIES, "orders", "Drilled", "False", "CouldNotRun")
    bad = {"name": "rows of public.orders", "passed": False, "expected": "3", "found": "2"}
    agent.behave = lambda order: (
        drilled(order, passed=False, checks=[bad], reason="ComparisonFailed", message="2 rows instead of 3")
        if order["kind"] == "Drill"
        else good_result(order)
    )
    ready.clock.shift = timedelta(days=1, minutes=15)
    await ready.until_condition(POLICIES, "orders", "Drilled", "False", "ComparisonFailed")
    assert (await ready.get(POLICIES, "orders"))["status"]["lastDrill"]["failedChecks"] == [bad]


async def test_a_drill_by_request_overwrites_nothing_and_asks_nothing(ready):
    await ask(ready, target={"mode": "Drill"}, **{"from": {"policy": "orders", "latest": True}})
    done = await until_phase(ready, "Succeeded", "Failed")
    assert done["phase"] == "Succeeded", done["message"]
    assert done["restoreSeconds"] == 2.5
    assert "7 things compared" in done["message"]


async def test_writes_that_fail_make_no_second_drill_of_a_slot(ready, agent):
    seen = []

    def counted(order):
        seen.append(order["kind"])
        return behave(order)

    agent.behave = counted

    async def written():
        return ready.operator_client.refused >= 3

    ready.operator_client.fails = True
    ready.clock.shift = timedelta(days=1)
    await until(written, "status writes were refused")
    ready.operator_client.fails = False
    await ready.until_condition(POLICIES, "orders", "Drilled", "True", "Passed")
    assert seen.count("Drill") == 1
