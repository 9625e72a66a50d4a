"""Story: backups are restored for trial, by request and by schedule, and a copy that rots is an alarm."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Shop
from tests.e2e.stronghold import Stronghold, condition, eventually, policy, run, secret, store
from tests.integration.postgres import running_server

pytestmark = pytest.mark.e2e
CHECK = {"name": "customers", "query": "SELECT count(*) FROM shop.customer", "atLeast": 1}


@pytest.fixture(scope="module")
def small_shop() -> Iterator[Shop]:
    with running_server() as server:
        server.load_shop("shop", 2_000)
        server.create_backup_role("shop_backup", "backup-secret")
        yield Shop(server, "backup-secret")


@pytest.fixture(scope="module")
def backed_up(hold: Stronghold, small_shop: Shop, store_path: Path) -> Path:
    """The folder of the recovery point of `shop-first`."""
    drill = {"schedule": "* * * * *", "suspend": True, "targetSeconds": 600, "checks": [CHECK]}
    hold.apply(
        store(store_path),
        secret("shop-db", password=small_shop.password),
        policy("shop", small_shop.source(), drill=drill),
        run("shop-first", "shop"),
    )
    finished = hold.finished_run("shop-first")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]["message"]
    return store_path / finished["status"]["recoveryPoint"]


def drill_by_request(hold: Stronghold, name: str) -> dict[str, Any]:
    spec = {"from": {"policy": "shop", "latest": True}, "target": {"mode": "Drill"}}
    meta = {"apiVersion": "strongroom.dev/v1alpha1", "kind": "RestoreRequest", "metadata": {"name": name}}
    hold.apply(meta | {"spec": spec})

    def ended() -> dict[str, Any] | None:
        body = hold.get("restorerequest", name)
        return body if body.get("status", {}).get("phase") in ("Succeeded", "Failed") else None

    return eventually(f"request {name} has ended", ended, 240)


def unsuspend(hold: Stronghold, *, suspend: bool) -> None:
    patch = f'{{"spec":{{"drill":{{"suspend":{str(suspend).lower()}}}}}}}'
    hold.kubectl("patch", "bp", "shop", "--type=merge", "-p", patch)


def test_a_drill_by_request_restores_into_a_place_that_is_thrown_away(
    hold: Stronghold, small_shop: Shop, backed_up: Path
) -> None:
    before = small_shop.content_hashes()
    done = drill_by_request(hold, "trial")
    assert done["status"]["phase"] == "Succeeded", done["status"]["message"]
    assert done["status"]["restoreSeconds"] > 0
    assert {check["passed"] for check in done["status"]["checks"]} == {True}
    assert small_shop.content_hashes() == before


def test_a_drill_by_schedule_makes_the_policy_drilled(hold: Stronghold, backed_up: Path) -> None:
    unsuspend(hold, suspend=False)
    drilled = hold.when("backuppolicy", "shop", "Drilled", seconds=180)
    unsuspend(hold, suspend=True)
    last = drilled["status"]["lastDrill"]
    assert (last["passed"], last["run"], last["store"]) == (True, "shop-first", "disk")
    assert last["comparedCount"] > 5
    said = metrics(hold)
    assert 'strongroom_policy_drilled{namespace="default",policy="shop"} 1.0' in said


def test_a_copy_that_rots_is_an_alarm(hold: Stronghold, backed_up: Path) -> None:
    (artifact,) = backed_up.glob("*.dump.zst")
    content = bytearray(artifact.read_bytes())
    content[len(content) // 2] ^= 0x10
    artifact.write_bytes(content)
    done = drill_by_request(hold, "rotten")
    assert done["status"]["phase"] == "Failed"
    assert condition(done, "Succeeded")["reason"] == "ArtifactCorrupt", done["status"]["message"]
    unsuspend(hold, suspend=False)
    hold.when("backuppolicy", "shop", "Drilled", "False", seconds=180)
    unsuspend(hold, suspend=True)
    status = hold.strongroom("status")
    assert status.returncode == 1
    assert "did not pass" in status.stdout
    assert 'strongroom_policy_drilled{namespace="default",policy="shop"} 0.0' in metrics(hold)


def test_nothing_of_a_drill_is_left(hold: Stronghold, backed_up: Path) -> None:
    def left() -> list[str]:
        found = [" ".join(process.cmdline()) for process in hold.processes("postgres")]
        return [line for line in found if "-D" in line]

    eventually("no server of a drill runs", lambda: not left(), 30)


def metrics(hold: Stronghold) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{hold.metrics_port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())
