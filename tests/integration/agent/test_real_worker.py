"""The agent with the worker that it is made for."""

import json
import sys

from tests.integration.agent.hosts import work_order
from tests.integration.postgres import running_server

REAL = (sys.executable, "-m", "strongroom", "worker")


def check_order(namespace, path):
    return json.dumps(
        {
            "kind": "CheckStore",
            "namespace": namespace,
            "runUid": "store-uid",
            "deadlineSeconds": 60,
            "stores": [{"name": "local", "spec": {"local": {"path": str(path)}}}],
        }
    )


async def test_a_store_is_checked(own_host, tmp_path):
    own_host.start(worker_command=REAL)
    (tmp_path / "store").mkdir()
    job = await own_host.send("check", order=check_order(own_host.namespace, tmp_path / "store"))
    condition, reason, result, _ = await own_host.finished(job)
    assert (condition, reason, result["reason"]) == ("Complete", "CompletionsReached", "Succeeded")
    assert [store["ready"] for store in result["stores"]] == [True]


async def test_a_missing_store_is_told_by_its_reason(own_host, tmp_path):
    own_host.start(worker_command=REAL)
    job = await own_host.send("check", order=check_order(own_host.namespace, tmp_path / "none"))
    condition, reason, result, _ = await own_host.finished(job)
    assert (condition, reason) == ("Failed", "PodFailurePolicy")
    assert result["reason"] == "StoreMissing"


async def test_a_database_is_backed_up_and_the_password_goes_nowhere(own_host, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    with running_server() as server:
        server.create_database("app")
        server.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n", "app")
        await own_host.add_secret("super", password=server.password)
        own_host.start(worker_command=REAL)
        order = work_order("shop", own_host.namespace, "run-uid", ("super", "password"))
        order["stores"][0]["spec"]["local"]["path"] = str(store)
        order["backup"]["sources"][0]["postgres"] |= {"user": "postgres", "port": server.port}
        job = await own_host.send("shop", order=json.dumps(order))
        condition, _, result, found = await own_host.finished(job, seconds=60)
    assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    assert {"rows": 1000, "table": "public.t"} in [
        row for artifact in result["artifacts"] for row in artifact.get("rowCounts", [])
    ]
    assert list(store.rglob("manifest.json"))
    assert server.password not in json.dumps(found)
    assert server.password not in own_host.log.read_text()
