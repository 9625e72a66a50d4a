"""Story: a database is damaged, and comes back by a request: planned, confirmed, secured, compared, exchanged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.stronghold import Stronghold, condition, eventually, policy, run, secret, store
from tests.integration.postgres import running_server

pytestmark = pytest.mark.e2e
ROWS = 5_000
ADMIN = {"user": "postgres", "passwordSecret": {"name": "shop-admin", "key": "password"}}


@pytest.fixture(scope="module")
def own_shop() -> Iterator[Shop]:
    """A server of its own: what is damaged here is nobody else's."""
    with running_server() as server:
        server.load_shop("shop", ROWS)
        server.create_backup_role("shop_backup", "backup-secret")
        yield Shop(server, "backup-secret")


@pytest.fixture(scope="module")
def backed_up(hold: Stronghold, own_shop: Shop, store_path: Path) -> dict[str, str]:
    """Content hashes of all that was backed up by `shop-first`."""
    hold.apply(
        store(store_path),
        secret("shop-db", password=own_shop.password),
        secret("shop-admin", password=own_shop.server.password),
        policy("shop", own_shop.source()),
        run("shop-first", "shop"),
    )
    assert hold.finished_run("shop-first")["status"]["phase"] == "Succeeded"
    return own_shop.content_hashes()


def request(name: str, **spec: Any) -> dict[str, Any]:
    target = {"mode": "InPlace", "postgres": ADMIN}
    base = {"from": {"policy": "shop", "latest": True}, "target": target}
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "RestoreRequest",
        "metadata": {"name": name},
        "spec": base | spec,
    }


def until(hold: Stronghold, name: str, *phases: str) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        status = (hold.try_get("restorerequest", name) or {}).get("status", {})
        return status if status.get("phase") in phases else None

    return eventually(f"request {name} is {' or '.join(phases)}", reached, 240)


def databases(shop: Shop) -> set[str]:
    with shop.server.connect() as session:
        rows = session.execute("select datname from pg_database where not datistemplate").fetchall()
    return {str(row[0]) for row in rows}


def damage(shop: Shop) -> None:
    shop.server.execute("DROP TABLE shop.order_line CASCADE", "shop")
    shop.server.execute('DELETE FROM shop."Odd ""Table"" with spaces"', "shop")


def test_a_damaged_database_comes_back_after_its_plan_was_seen_and_confirmed(
    hold: Stronghold, own_shop: Shop, backed_up: dict[str, str]
) -> None:
    damage(own_shop)
    hold.apply(request("back", keepReplaced="5s"))
    waiting = until(hold, "back", "AwaitingConfirmation", "Failed")
    assert waiting["phase"] == "AwaitingConfirmation", waiting["message"]
    assert waiting["plan"]["confirmation"] == "shop"
    assert own_shop.content_hashes() != backed_up
    patch = '{"spec":{"confirm":"shop"}}'
    hold.kubectl("patch", "rr", "back", "--type=merge", "-p", patch)
    done = until(hold, "back", "Succeeded", "Failed")
    assert done["phase"] == "Succeeded", done["message"]
    assert own_shop.content_hashes() == backed_up
    steps = [(step["name"], step["state"]) for step in done["steps"]]
    assert steps[0] == ("SafetyBackup", "Succeeded")
    assert ("Swap", "Succeeded") in steps
    assert all(check["passed"] for check in done["checks"])


def test_what_was_replaced_is_dropped_when_its_time_has_come(
    hold: Stronghold, own_shop: Shop, backed_up: dict[str, str]
) -> None:
    def dropped() -> Any:
        return hold.get("restorerequest", "back")["status"].get("droppedTime")

    eventually("what was replaced is dropped", dropped, 60)
    assert not [name for name in databases(own_shop) if name.startswith("shop_")]


def test_the_safety_backup_holds_the_damaged_state_and_counts_for_nothing_else(
    hold: Stronghold, own_shop: Shop, backed_up: dict[str, str]
) -> None:
    name = hold.get("restorerequest", "back")["status"]["safetyRun"]
    safety = hold.get("backuprun", name)
    assert (safety["spec"]["reason"], safety["status"]["phase"]) == ("Safety", "Succeeded")
    assert "shop.order_line" not in {each["table"] for each in safety["status"]["artifacts"][0]["rowCounts"]}
    assert hold.get("backuppolicy", "shop")["status"]["lastSuccess"]["run"] == "shop-first"


def test_the_command_restores_beside_the_present_one(
    hold: Stronghold, own_shop: Shop, backed_up: dict[str, str]
) -> None:
    words = ["--run", "shop-first", "--to-database", "shop_copy", "--db-user", "postgres"]
    done = hold.strongroom("restore", *words, "--db-password", "shop-admin/password")
    assert done.returncode == 0, done.stdout + done.stderr
    assert own_shop.server.content_hashes("shop_copy") == backed_up
    own_shop.server.drop_database("shop_copy")


def test_a_time_without_a_backup_is_an_error_and_never_the_latest(
    hold: Stronghold, backed_up: dict[str, str]
) -> None:
    early = {"policy": "shop", "asOf": "2020-01-01T00:00:00Z"}
    hold.apply(request("early", **{"from": early}))
    done = until(hold, "early", "AwaitingConfirmation", "Failed")
    assert condition(hold.get("rr", "early"), "Succeeded")["reason"] == "BackupNotFound", done["message"]
    assert "at or before 2020-01-01" in done["message"]


def test_a_role_that_may_not_restore_is_told_before_anything_is_asked(
    hold: Stronghold, own_shop: Shop, backed_up: dict[str, str]
) -> None:
    hold.apply(request("meek", target={"mode": "InPlace"}))
    done = until(hold, "meek", "AwaitingConfirmation", "Failed")
    assert condition(hold.get("rr", "meek"), "Succeeded")["reason"] == "PermissionDenied"
    assert "spec.target.postgres" in done["message"]
    assert own_shop.content_hashes() == backed_up


@pytest.mark.parametrize("part", ["worker", "agent", "operator", "apiserver"])
def test_a_part_that_is_killed_in_the_midst_of_a_restore_leaves_the_old_or_the_new(
    hold: Stronghold, own_shop: Shop, backed_up: dict[str, str], part: str
) -> None:
    damage(own_shop)
    damaged = own_shop.content_hashes()
    name = f"killed-{part}"
    hold.apply(request(name, confirm="shop", safetyBackup=False, keepReplaced="0s"))
    until(hold, name, "Running", "Succeeded")
    eventually("its worker is at it", lambda: _kill(hold, part) or _has_ended(hold, name), 60, every=0.02)
    done = until(hold, name, "Succeeded", "Failed")
    found = own_shop.content_hashes()
    assert found == (backed_up if done["phase"] == "Succeeded" else damaged), done["message"]
    assert done["phase"] == "Succeeded", done["message"]
    assert not [each for each in databases(own_shop) if each.startswith("shop_")]


def _kill(hold: Stronghold, part: str) -> bool:
    """Kill it while a worker restores; whether that was so."""
    if not hold.part("worker"):
        return False
    for process in hold.part(part):
        try:
            process.kill()
        except psutil.Error:
            return False
    return True


def _has_ended(hold: Stronghold, name: str) -> bool:
    status = (hold.try_get("restorerequest", name) or {}).get("status", {})
    return status.get("phase") in ("Succeeded", "Failed")
