"""Drills by workers in containers: through the gate they make what the order describes, and no other; whoever is killed, nothing is left."""

import asyncio
import json

import pytest
from tests.docker.databases import start_database
from tests.images.build import WEB
from tests.integration.agent.hosts import work_order
from tests.integration.embedded import until

from strongroom.agent.allowances import OWN_IMAGE, Allowances
from strongroom.api.labels import DRILL_LABEL, JOB_LABEL
from strongroom.engine.connecting import connect_engine
from strongroom.engine.containers import list_containers

ROWS = 300
TARGETS = [{"name": "database", "postgres": {"container": {"name": "shop-db"}}}]
CONNECTS = ["python3", "-c", "import psycopg2; psycopg2.connect('')"]
APPLICATION = {"image": WEB, "command": ["sleep", "600"], "database": "shop", "exec": CONNECTS}


@pytest.fixture
async def host(own_host, worker_engine, tmp_path):
    """Its database is backed up."""
    (tmp_path / "store").mkdir()
    start_database(worker_engine, "shop-db", rows=ROWS)
    own_host.image = OWN_IMAGE
    begin(own_host, worker_engine, tmp_path)
    order = work_order("shop", own_host.namespace, "run-uid", ("pg", "password"))
    own_host.stores = order["stores"]
    own_host.stores[0]["spec"]["local"]["path"] = str(tmp_path / "store")
    order["backup"] |= {"run": "first", "sources": TARGETS}
    await succeed(own_host, order)
    yield own_host
    worker_engine.docker("rm", "--force", "--volumes", "shop-db")


def begin(host, engine, folder):
    allowed = Allowances(stores=(str(folder),), drill_images=(WEB,))
    host.start(engine_url=engine.url, isolation="container", allowed=allowed)


def drill_order(host, **drill):
    return {
        "kind": "Drill",
        "namespace": host.namespace,
        "runUid": "uid-drill",
        "deadlineSeconds": 300,
        "stores": host.stores,
        "drill": {
            "choice": {"policy": "shop", "run": "first"},
            "targets": TARGETS,
            "memoryBytes": 256 << 20,
            **drill,
        },
    }


async def succeed(host, order):
    job = await host.send("shop", order=json.dumps(order))
    condition, _, result, _ = await host.finished(job, seconds=240)
    assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    return result


async def running(engine, *filters):
    """Ids of containers of drills, once some run that pass the filters."""

    async def found():
        arguments = ["ps", "--quiet", f"--filter=label={DRILL_LABEL}", *filters]
        return (await asyncio.to_thread(engine.docker, *arguments)).split()

    return await until(found, "a drill's container runs", seconds=120)


def left(engine):
    containers = [each.name for each in list_containers(connect_engine(engine.url))]
    return [name for name in containers if name != "shop-db"], engine.docker(
        "volume", "ls", "--quiet", "--filter=dangling=true"
    )


async def test_a_drill_in_isolation_restores_in_a_container_and_leaves_nothing(host, worker_engine):
    check = {"name": "orders", "query": "SELECT count(*) FROM orders", "expect": str(ROWS)}
    result = await succeed(host, drill_order(host, checks=[check], application=APPLICATION))
    assert result["drill"]["application"]["found"] == "exit code 0"
    assert left(worker_engine) == ([], "")


async def test_kills_of_agent_worker_and_engine_leave_nothing_and_are_no_word_of_the_backup(
    host, worker_engine, tmp_path
):
    await an_agent_and_a_worker_are_killed(host, worker_engine, tmp_path)
    await an_engine_is_killed(host, worker_engine)


async def an_agent_and_a_worker_are_killed(host, worker_engine, tmp_path):
    """While the application is asked how it is."""
    waiting = APPLICATION | {"exec": ["false"], "timeout": "10m"}
    job = await host.send("shop", order=json.dumps(drill_order(host, application=waiting)), backoffLimit=0)
    await running(worker_engine, "--filter=name=-app$")
    host.kill()
    (worker,) = worker_engine.docker("ps", "--quiet", f"--filter=label={JOB_LABEL}").split()
    worker_engine.docker("kill", worker)
    begin(host, worker_engine, tmp_path)
    condition, _, result, _ = await host.finished(job, seconds=240)
    assert (condition, result["reason"], result.get("drill")) == ("Failed", "WorkerLost", None)
    await host.cleared(job)
    assert left(worker_engine) == ([], "")


async def an_engine_is_killed(host, worker_engine):
    """The Job runs again."""
    job = await host.send("shop", order=json.dumps(drill_order(host)), backoffLimit=8)
    await running(worker_engine)
    await asyncio.to_thread(worker_engine.kill)
    await asyncio.to_thread(worker_engine.start)
    await asyncio.to_thread(worker_engine.docker, "start", "shop-db")
    condition, _, result, found = await host.finished(job, seconds=240)
    assert (condition, result["drill"]["passed"]) == ("Complete", True), result["message"]
    assert found["status"]["failed"] >= 1
    await host.cleared(job)
    assert left(worker_engine) == ([], "")
