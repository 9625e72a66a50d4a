"""Story: one of three stores is missing; the run succeeds without it, and its copy is made when the disk is there and the database gone."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Shop
from tests.e2e.stronghold import Stronghold, condition, eventually, policy, run, secret, store

pytestmark = pytest.mark.e2e
SOURCE = "copied"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The last one is not made: its disk is not there."""
    parent = tmp_path_factory.mktemp("stores")
    (parent / "disk").mkdir()
    (parent / "second").mkdir()
    return {name: parent / name for name in ("disk", "second", "usb")}


@pytest.fixture(scope="module")
def first_run(hold: Stronghold, shop: Shop, folders: dict[str, Path]) -> Iterator[dict[str, Any]]:
    shop.create_database(SOURCE, table=True)
    usb = store(folders["usb"], "usb")
    usb["spec"]["media"] = "tape"
    hold.apply(
        store(folders["disk"], "disk"),
        store(folders["second"], "second"),
        usb,
        secret("shop-db", password=shop.password),
        policy("shop", shop.source(databases=[SOURCE]), stores=["disk", "usb", "second"], minCopies=2),
        run("first", "shop"),
    )
    yield hold.finished_run("first")
    shop.server.drop_database(SOURCE)


def states(body: dict[str, Any]) -> dict[str, str]:
    return {copy["store"]: copy["state"] for copy in body["status"]["copies"]}


def test_two_copies_of_three_are_a_success_that_names_the_store_which_lacks_one(
    first_run: dict[str, Any], folders: dict[str, Path]
) -> None:
    assert first_run["status"]["phase"] == "Succeeded", first_run["status"]["message"]
    assert states(first_run) == {"disk": "Succeeded", "usb": "Failed", "second": "Succeeded"}
    message = condition(first_run, "Succeeded")["message"]
    assert "usb (StoreMissing:" in message
    assert str(folders["usb"]) in message
    assert not folders["usb"].exists()


def test_what_is_missing_for_three_two_one_is_said_with_the_store_that_fails_and_the_one_to_add(
    hold: Stronghold, first_run: dict[str, Any]
) -> None:
    for kind, name in (("backuppolicy", "shop"), ("backuprun", "first")):
        found = condition(hold.when(kind, name, "CopiesSatisfied", "False"), "CopiesSatisfied")
        assert found["reason"] == "OneMedium"
        assert "a copy on another medium than disk; an offsite copy." in found["message"]
        assert "usb (StoreMissing:" in found["message"]
        assert "Add to spec.stores: one with spec.offsite true." in found["message"]
    assert "3-2-1" in hold.kubectl("get", "bp", "shop").stdout
    shown = hold.strongroom("status").stdout
    assert "no, 1 lacking" in shown
    assert "1 recovery point to be copied yet to usb (StoreMissing" in shown


def test_the_copy_is_made_without_the_source_once_the_disk_is_there(
    hold: Stronghold, shop: Shop, first_run: dict[str, Any], folders: dict[str, Path]
) -> None:
    shop.server.drop_database(SOURCE)
    folders["usb"].mkdir()
    # Whoever says something new of a store has it looked at again at once.
    hold.kubectl("patch", "bs", "usb", "--type", "merge", "-p", '{"spec":{"offsite":true}}')
    hold.when("backuprun", "first", "CopiesSatisfied")
    caught_up = hold.get("backuprun", "first")
    assert set(states(caught_up).values()) == {"Succeeded"}
    assert caught_up["status"]["phase"] == "Succeeded"
    assert "Copied to usb without reading the source." in caught_up["status"]["catchUp"]["message"]
    point = caught_up["status"]["recoveryPoint"]
    copied = {path.name: path.read_bytes() for path in (folders["usb"] / point).rglob("*") if path.is_file()}
    assert "manifest.json" in copied
    assert copied == {
        path.name: path.read_bytes() for path in (folders["disk"] / point).rglob("*") if path.is_file()
    }
    assert condition(hold.when("backuppolicy", "shop", "CopiesSatisfied"), "CopiesSatisfied")["message"] == (
        "4 copies, the live data counted, on disk and tape, offsite in usb: each verified."
    )


def test_metrics_columns_and_the_screen_say_so(hold: Stronghold, first_run: dict[str, Any]) -> None:
    labels = 'namespace="default",policy="shop"'

    def measured() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{hold.metrics_port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {
            f"strongroom_policy_copies_satisfied{{{labels}}} 1.0",
            f'strongroom_policy_copies{{{labels},store="usb"}} 1.0',
            f'strongroom_policy_copies_lacking{{{labels},store="usb"}} 0.0',
            f'strongroom_policy_catch_ups{{{labels},state="failed"}} 0.0',
        } <= set(lines)

    eventually("the metrics say so", measured, 30)
    told = json.loads(hold.strongroom("status", "-o", "json").stdout)
    assert [each["lacking"] for each in told["policies"][0]["status"]["copies"]] == [0, 0, 0]
    events = [(each["involvedObject"]["kind"], each["reason"]) for each in hold.items("events")]
    assert ("BackupRun", "CaughtUp") in events
    assert not [job for job in hold.items("jobs") if job["metadata"]["name"].startswith("copy-")]
