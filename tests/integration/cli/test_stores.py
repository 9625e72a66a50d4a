"""`strongroom stores check` and `status` as processes of their own, against a real API server; the test is the operator."""

import subprocess
import sys
from pathlib import Path

from tests.integration.embedded import served

from strongroom.kube.client import KubeClient
from strongroom.kube.connection import connect
from strongroom.kube.kinds import STORES

UNREADABLE = {
    "rsync": {
        "host": "vault",
        "user": "backup",
        "path": "/srv",
        "hostKey": "ssh-ed25519 AAAA",
        "privateKeySecret": {"name": "vault", "key": "key"},
    }
}
"""No pattern of the CRD knows what is in a key."""


def ready(**more: str) -> dict[str, str]:
    return {
        "type": "Ready",
        "status": "True",
        "reason": "Reached",
        "message": "It was listed.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        **more,
    }


async def make(client: KubeClient, name: str, spec: object, *conditions: dict[str, str]) -> None:
    await client.create(STORES, "default", {"metadata": {"name": name}, "spec": spec})
    status = {"status": {"conditions": list(conditions)}}
    await client.patch(STORES, "default", name, status, subresource="status")


def strongroom(kubeconfig: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "strongroom", *words, "--kubeconfig", str(kubeconfig)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


async def test_a_store_that_cannot_be_read_is_told_and_the_others_are_checked(tmp_path):
    with served(tmp_path / "state") as api:
        async with connect(api.admin) as client:
            await make(client, "attic", UNREADABLE)
            await make(client, "cellar", {"local": {"path": "/backups"}}, ready())
        done = strongroom(api.admin, "stores", "check", "--timeout", "1")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0] == "attic  NOT READABLE"
    assert "InvalidSpec: BackupStore attic: spec.rsync.hostKey" in done.stdout
    assert "cellar  local  NO ANSWER" in done.stdout


async def test_two_stores_that_are_one_place_are_told_once(tmp_path):
    shared = {"type": "PlaceShared", "reason": "SamePlace"}
    with served(tmp_path / "state") as api:
        async with connect(api.admin) as client:
            for name, other in (("attic", "cellar"), ("cellar", "attic")):
                message = f"This store is the same place as BackupStore {other}: they count as one copy."
                condition = ready(**shared, message=message)
                await make(client, name, {"local": {"path": "/backups"}}, ready(), condition)
        done = strongroom(api.admin, "status")
    assert done.stdout.count("is the same place as") == 1, done.stdout + done.stderr
