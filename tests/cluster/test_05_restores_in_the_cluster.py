"""Story: a damaged database of the cluster comes back in its place while its application is scaled down; and a drill beside it."""

from typing import Any

import pytest
from tests.cluster.cluster import Room
from tests.cluster.workloads import Database, protected_database
from tests.e2e.kubectl import eventually
from tests.e2e.stronghold import run

pytestmark = pytest.mark.cluster
REPLICAS = 2


@pytest.fixture(scope="module")
def database(room: Room) -> Database:
    """Backed up by the run `first`."""
    drill = {"schedule": "0 6 * * 0", "image": room.cluster.postgres_image}
    made = protected_database(room, 1_000, drill=drill, job={"imagePullPolicy": "IfNotPresent"})
    room.apply(run("first", "shop"))
    finished = room.finished_run("first")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]
    return made


@pytest.fixture(scope="module")
def web(room: Room) -> str:
    """A Deployment, as the application is one."""
    labels = {"app": "web"}
    container = {
        "name": "web",
        "image": room.cluster.worker_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "86400"],
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    room.apply(deployment)
    room.kubectl("rollout", "status", "deployment/web", "--timeout=100s")
    return "web"


def ended(room: Room, name: str, **spec: Any) -> dict[str, Any]:
    """The status of a request, made and ended."""
    meta = {"apiVersion": "strongroom.dev/v1alpha1", "kind": "RestoreRequest", "metadata": {"name": name}}
    room.apply({**meta, "spec": {"from": {"policy": "shop", "latest": True}, **spec}})

    def status() -> dict[str, Any] | None:
        found = room.get("restorerequest", name).get("status", {})
        return found if found.get("phase") in ("Succeeded", "Failed") else None

    found: dict[str, Any] = eventually(f"request {name} has ended", status, 240)
    return found


def test_a_database_comes_back_in_its_place_while_its_application_is_scaled_down(
    room: Room, database: Database, web: str
) -> None:
    before = database.content()
    database.sql("DROP TABLE shop.order_line CASCADE")
    status = ended(
        room, "back", target={"mode": "InPlace"}, stopServices=[{"deployment": web}], confirm="shop"
    )
    assert status["phase"] == "Succeeded", status
    assert database.content() == before
    steps = {step["name"]: step["state"] for step in status["steps"]}
    assert (steps["StopServices"], steps["Swap"], steps["StartServices"]) == ("Succeeded",) * 3, steps
    replicas = room.kubectl("get", "deployment", web, "-o", "jsonpath={.spec.replicas}").stdout
    assert replicas == str(REPLICAS)


def test_a_drill_restores_into_a_server_in_the_jobs_own_pod(room: Room, database: Database) -> None:
    before = database.content()
    status = ended(room, "trial", target={"mode": "Drill"})
    assert status["phase"] == "Succeeded", status
    assert {check["passed"] for check in status["checks"]} == {True}
    assert database.content() == before
