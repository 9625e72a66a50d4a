"""Drills by workers in containers: through the gate they make the throw-away container that the order describes, and no other."""

import json

import pytest
from tests.docker.databases import start_database
from tests.images.build import WEB
from tests.integration.agent.hosts import work_order

from strongroom.agent.allowances import OWN_IMAGE, Allowances
from strongroom.engine.connecting import connect_engine
from strongroom.engine.containers import list_containers

ROWS = 300


@pytest.fixture
def host(own_host, worker_engine, tmp_path):
    (tmp_path / "store").mkdir()
    start_database(worker_engine, "shop-db", rows=ROWS)
    own_host.image = OWN_IMAGE
    own_host.start(
        engine_url=worker_engine.url,
        isolation="container",
        allowed=Allowances(stores=(str(tmp_path),), drill_images=(WEB,)),
    )
    return own_host


async def succeed(host, order):
    condition, _, result, _ = await host.finished(
        await host.send("shop", order=json.dumps(order)), seconds=240
    )
    assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    return result


async def test_a_drill_in_isolation_restores_in_a_container_and_leaves_nothing(host, worker_engine, tmp_path):
    targets = [{"name": "database", "postgres": {"container": {"name": "shop-db"}}}]
    order = work_order("shop", host.namespace, "run-uid", ("pg", "password"))
    order["stores"][0]["spec"]["local"]["path"] = str(tmp_path / "store")
    order["backup"] |= {"run": "first", "sources": targets}
    await succeed(host, order)
    connects = ["python3", "-c", "import psycopg2; psycopg2.connect('')"]
    application = {"image": WEB, "command": ["sleep", "600"], "database": "shop", "exec": connects}
    check = {"name": "orders", "query": "SELECT count(*) FROM orders", "expect": str(ROWS)}
    result = await succeed(
        host,
        {
            "kind": "Drill",
            "namespace": host.namespace,
            "runUid": "uid-drill",
            "deadlineSeconds": 300,
            "stores": order["stores"],
            "drill": {
                "choice": {"policy": "shop", "run": "first"},
                "targets": targets,
                "memoryBytes": 256 << 20,
                "checks": [check],
                "application": application,
            },
        },
    )
    assert result["drill"]["application"]["found"] == "exit code 0"
    assert [each.name for each in list_containers(connect_engine(worker_engine.url))] == ["shop-db"]
    assert worker_engine.docker("volume", "ls", "--quiet", "--filter=dangling=true") == ""
