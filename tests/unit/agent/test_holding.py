"""Jobs that stop the same service take turns."""

import asyncio

from tests.integration.hooks.services import work_order

from strongroom.agent.holding import EVERYTHING, Holds, find_services
from strongroom.api.hooks import Hooks

WEB, DB = frozenset(["shop/web"]), frozenset(["shop/db"])
NOWHERE = "unix:///nonexistent/docker.sock"


async def has_taken(holds, job, services):
    """Whether the Job can have them at once."""
    taking = asyncio.create_task(holds.take(job, services))
    for _ in range(5):
        await asyncio.sleep(0)
    is_done = taking.done()
    taking.cancel()
    return is_done


async def test_a_service_is_held_by_one_job_and_then_by_the_next():
    holds = Holds()
    await holds.take("one", WEB | DB)
    waiting = asyncio.create_task(holds.take("two", WEB))
    assert not await has_taken(holds, "three", DB)
    await holds.release("one")
    async with asyncio.timeout(10):
        await waiting
    assert await has_taken(holds, "three", DB)


async def test_jobs_without_a_service_in_common_wait_for_nobody():
    holds = Holds()
    await holds.take("one", WEB)
    assert await has_taken(holds, "two", DB)


async def test_a_job_never_waits_for_itself():
    holds = Holds()
    await holds.take("one", WEB)
    assert await has_taken(holds, "one", WEB | DB)


async def test_what_a_job_held_before_a_restart_of_the_agent_stays_its_own():
    holds = Holds()
    holds.keep("one", WEB)
    assert not await has_taken(holds, "two", WEB)


async def test_a_service_that_cannot_be_told_from_others_is_all_of_them():
    holds = Holds()
    await holds.take("one", frozenset([EVERYTHING]))
    assert not await has_taken(holds, "two", WEB)
    assert await has_taken(holds, "three", frozenset())


def test_a_name_that_only_an_engine_that_is_away_knows_may_be_any_service():
    by_name = Hooks.model_validate({"pause": [{"name": "shop-web-1"}]}).to_api()
    assert find_services(work_order(by_name), NOWHERE) == {EVERYTHING}


def test_services_of_compose_are_known_without_an_engine():
    by_service = Hooks.model_validate({"stop": [{"project": "shop", "service": "web"}]}).to_api()
    assert find_services(work_order(by_service), NOWHERE) == WEB


def test_an_order_that_stops_nothing_holds_nothing():
    assert find_services(work_order({}), NOWHERE) == frozenset()
