"""Story: slots fire, runs of one target wait for each other, old backups go by rule and pinned ones stay."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.e2e.conftest import Shop
from tests.e2e.stronghold import Stronghold, eventually, policy, run, secret, store

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def ground(hold: Stronghold, shop: Shop, store_path: Path) -> Stronghold:
    """Its slot is due within a minute, and fires while the other stories are told."""
    shop.create_database("minutely", table=True)
    minutely = policy("minutely", shop.source(databases=["minutely"]), schedule="* * * * *")
    hold.apply(store(store_path), secret("shop-db", password=shop.password), minutely)
    return hold


def test_retention_keeps_the_newest_and_what_is_held(
    ground: Stronghold, shop: Shop, store_path: Path
) -> None:
    ground.apply(policy("few", shop.source(), retention={"keepLast": 1}))
    for name, hold in (("few-1", True), ("few-2", False), ("few-3", False)):
        ground.apply(run(name, "few", hold=hold))
        finished = ground.finished_run(name)
        assert finished["status"]["phase"] == "Succeeded", finished["status"]
    points = sorted(folder.parent.name for folder in (store_path / "default" / "few").glob("*/manifest.json"))
    assert len(points) == 2
    assert any("few-1" in point for point in points)
    assert any("few-3" in point for point in points)
    eventually(
        "few-2 is marked as pruned", lambda: ground.get("backuprun", "few-2")["status"].get("prunedTime"), 20
    )


def test_two_policies_on_one_target_are_told_and_take_turns(ground: Stronghold, shop: Shop) -> None:
    ground.apply(policy("left", shop.source()), policy("right", shop.source()))

    ground.when("backuppolicy", "left", "TargetShared")
    ground.apply(run("left-run", "left"), run("right-run", "right"))
    runs = [ground.finished_run("left-run"), ground.finished_run("right-run")]
    assert [r["status"]["phase"] for r in runs] == ["Succeeded", "Succeeded"]
    first, second = sorted(runs, key=lambda r: r["status"]["startTime"])
    assert second["status"]["startTime"] >= first["status"]["completionTime"]


def test_deleting_a_policy_deletes_no_data(ground: Stronghold, shop: Shop, store_path: Path) -> None:
    ground.apply(policy("leaving", shop.source()), run("leaving-run", "leaving"))
    point = ground.finished_run("leaving-run")["status"]["recoveryPoint"]
    ground.kubectl("delete", "backuppolicy", "leaving")
    eventually("its runs are collected", lambda: ground.try_get("backuprun", "leaving-run") is None, 60)
    assert (store_path / point / "manifest.json").exists()


def test_a_slot_fires_once_at_its_minute(ground: Stronghold) -> None:
    made = eventually(
        "a scheduled run", lambda: ground.items("backuprun", "strongroom.dev/policy=minutely"), 75
    )
    ground.kubectl("patch", "backuppolicy", "minutely", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    slot = made[0]["spec"]["slot"]
    assert made[0]["spec"]["reason"] == "Scheduled"
    assert slot.endswith(":00Z")
    created = datetime.fromisoformat(made[0]["metadata"]["creationTimestamp"])
    assert created >= datetime.fromisoformat(slot)
    finished = ground.finished_run(made[0]["metadata"]["name"])
    assert finished["status"]["phase"] == "Succeeded"
    assert len([r for r in ground.items("backuprun") if r["spec"].get("slot") == slot]) == 1

    def owner() -> str | None:
        owners = ground.get("backuprun", finished["metadata"]["name"])["metadata"].get("ownerReferences")
        return owners[0]["name"] if owners else None

    assert eventually("the finished run is given to its policy", owner, 30) == "minutely"
    assert datetime.now(UTC) > created
