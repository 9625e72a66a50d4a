"""Story: the pod of a restore is killed after the swap: the next one goes on, or the old is put back, and the application runs."""

import subprocess
from typing import Any

import pytest
from tests.cluster.cluster import Room
from tests.cluster.workloads import Database, protected_database
from tests.e2e.kubectl import eventually
from tests.e2e.stronghold import run

pytestmark = pytest.mark.cluster
API = "strongroom.dev/v1alpha1"
ENDED = ("Succeeded", "Failed")
LATER = "INSERT INTO shop.customer (name, email, created_at) SELECT 'later', random()::text, now() FROM generate_series(1, 7)"
"""What was written after the backup: a restore takes it away."""


def application(room: Room) -> list[dict[str, Any]]:
    """Something that answers over HTTP, behind a Service that leads to it once it is let in."""
    labels = {"app": "web"}
    container = {
        "name": "web",
        "image": room.cluster.worker_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "http.server", "8000", "--directory", "/usr/share"],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    service = {"selector": labels, "ports": [{"port": 80, "targetPort": 8000}]}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": service},
    ]


@pytest.fixture(scope="module")
def database(room: Room) -> Database:
    """With its application, and a backup of it: the run `good`."""
    made = protected_database(room, 500)
    room.apply(*application(room), run("good", "shop"))
    finished = room.finished_run("good")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]
    room.kubectl("rollout", "status", "deployment/web", "--timeout=100s")
    return made


def restore(name: str, **spec: Any) -> dict[str, Any]:
    base = {
        "from": {"run": "good"},
        "target": {"mode": "InPlace"},
        "confirm": "shop",
        "safetyBackup": False,
        "stopServices": [{"deployment": "web"}],
        "healthCheck": {"url": "http://web/", "timeout": "10m"},
    }
    return {"apiVersion": API, "kind": "RestoreRequest", "metadata": {"name": name}, "spec": base | spec}


def ended(room: Room, name: str, seconds: float = 240) -> dict[str, Any]:
    def terminal() -> dict[str, Any] | None:
        body = room.try_get("restorerequest", name)
        return body if body and body.get("status", {}).get("phase") in ENDED else None

    body: dict[str, Any] = eventually(f"restorerequest {name} ends", terminal, seconds)
    status: dict[str, Any] = body["status"]
    return status


def replicas(room: Room) -> str:
    """How many of the application there are to be."""
    return room.kubectl("get", "deployment", "web", "--output", "jsonpath={.spec.replicas}").stdout


def let_nobody_in(room: Room, *, closed: bool) -> None:
    """Whether the Service leads nowhere, so that no health check succeeds."""
    selector = f'{{"spec":{{"selector":{{"app":"{"nobody" if closed else "web"}"}}}}}}'
    room.kubectl("patch", "service", "web", "--type=merge", "--patch", selector)


def checking_pod(room: Room, name: str) -> dict[str, Any]:
    """The worker's pod of a restore, once the new stands in the old one's place and the application is asked how it is."""

    def checks() -> dict[str, Any] | None:
        jobs = room.items("jobs", f"strongroom.dev/restore={name}")
        told = [each["metadata"].get("annotations", {}).get("strongroom.dev/progress", "") for each in jobs]
        pods = room.items("pods", f"strongroom.dev/restore={name}")
        running = [each for each in pods if each["status"]["phase"] == "Running"]
        return running[0] if running and any('"HealthCheck"' in text for text in told) else None

    pod: dict[str, Any] = eventually(f"{name} checks the application", checks, 180)
    return pod


def kill(room: Room, pod: dict[str, Any]) -> None:
    """As the kernel does when memory is short."""
    if not room.cluster.is_own:
        pytest.skip("this cluster's containers are not ours to kill")
    identity = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("docker://")
    subprocess.run(["docker", "kill", "--signal=KILL", identity], check=True, capture_output=True)


def test_a_worker_that_is_killed_after_the_swap_has_a_follower_that_goes_on(
    room: Room, database: Database
) -> None:
    good = database.content()
    database.sql(LATER)
    let_nobody_in(room, closed=True)
    room.apply(restore("bereft"))
    kill(room, checking_pod(room, "bereft"))
    let_nobody_in(room, closed=False)
    status = ended(room, "bereft")
    assert status["phase"] == "Succeeded", status
    assert database.content() == good


def test_what_a_killed_worker_without_follower_has_exchanged_is_put_back(
    room: Room, database: Database
) -> None:
    database.sql(LATER)
    present = database.content()
    let_nobody_in(room, closed=True)
    room.apply(restore("alone", backoffLimit=0))
    kill(room, checking_pod(room, "alone"))
    status = ended(room, "alone")
    let_nobody_in(room, closed=False)
    assert status["phase"] == "Failed", status
    assert status["rolledBack"] is True, status
    assert database.content() == present
    assert replicas(room) == "2"
