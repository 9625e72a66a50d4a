"""Story: in the middle of a backup its pod is deleted, the operator's pod killed, the API server killed; each run ends as it should."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.cluster import HOME_NAMESPACE, Room
from tests.cluster.disturbing import disturb
from tests.cluster.keeper import run_script
from tests.cluster.place import STATE
from tests.cluster.workloads import Database, protected_database
from tests.e2e.kubectl import eventually
from tests.e2e.stronghold import run

pytestmark = pytest.mark.cluster
HELD = "shop.customer"


@pytest.fixture(scope="module")
def database(room: Room) -> Database:
    """With a policy `shop` of it, into a claim."""
    return protected_database(room, 500, backoffLimit=2)


def worker_pods(room: Room, of: str) -> list[dict[str, Any]]:
    return room.items("pods", f"strongroom.dev/run={of}")


def test_a_pod_that_is_deleted_in_mid_backup_has_a_follower_and_the_run_succeeds(
    room: Room, database: Database
) -> None:
    with database.held(HELD):
        room.apply(run("bereft", "shop"))
        database.await_dump()
        (pod,) = worker_pods(room, "bereft")
        room.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=1", "--wait=false")
        eventually(
            "another pod takes its place",
            lambda: any(
                each["metadata"]["uid"] != pod["metadata"]["uid"] for each in worker_pods(room, "bereft")
            ),
        )
    finished = room.finished_run("bereft")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]


def test_an_operator_that_is_killed_takes_the_run_up_again(room: Room, database: Database) -> None:
    with database.held(HELD):
        room.apply(run("orphan", "shop"))
        database.await_dump()
        room.kubectl(
            *("delete", "pod", "--namespace", HOME_NAMESPACE, "--grace-period=0", "--force"),
            *("--selector", "app.kubernetes.io/component=operator"),
        )
    finished = room.finished_run("orphan")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]
    assert len(room.items("jobs", "strongroom.dev/run=orphan")) <= 1


def test_an_api_server_that_is_killed_costs_no_backup(room: Room, database: Database) -> None:
    if not room.cluster.is_own:
        pytest.skip("this cluster's API server is not ours to kill")
    with database.held(HELD):
        room.apply(run("silence", "shop"))
        database.await_dump()
        with disturb():
            server = int((STATE / "apiserver.pid").read_text())
            os.kill(server, signal.SIGKILL)
            # Else the script takes it for alive.
            eventually("it is gone", lambda: not Path(f"/proc/{server}").exists())
            run_script("start")
    finished = room.finished_run("silence")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]
