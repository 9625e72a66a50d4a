"""Story: a policy applied with kubectl becomes a verified backup that restores equal."""

import json
import urllib.request
from pathlib import Path

import pytest
from tests.e2e.conftest import Shop, restored_copy
from tests.e2e.stronghold import Stronghold, condition, eventually, policy, run, secret, store

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def first_run(hold: Stronghold, shop: Shop, store_path: Path) -> dict:
    hold.apply(
        store(store_path),
        secret("shop-db", password=shop.password),
        policy("shop", shop.source(), retention={"keepLast": 7}),
        run("shop-first", "shop"),
    )
    return hold.finished_run("shop-first")


def test_the_run_succeeds_verified_whole_and_read_back(first_run: dict) -> None:
    status = first_run["status"]
    assert (status["phase"], condition(first_run, "Succeeded")["status"]) == ("Succeeded", "True"), status
    database = next(a for a in status["artifacts"] if a["kind"] == "database")
    assert database["verification"]["level"] == "Full"
    assert database["verification"]["readBack"] is True
    assert {copy["state"] for copy in status["copies"]} == {"Succeeded"}


def test_kubectl_wait_sees_the_condition(hold: Stronghold, first_run: dict) -> None:
    hold.kubectl("wait", "--for=condition=Succeeded", "backuprun/shop-first", "--timeout=60s")


def test_the_rows_counted_are_the_rows_there_are(shop: Shop, first_run: dict) -> None:
    database = next(a for a in first_run["status"]["artifacts"] if a["kind"] == "database")
    assert database["rowCount"] == sum(shop.row_counts().values())


def test_the_artifact_opens_with_stock_tools_and_restores_equal(
    shop: Shop, store_path: Path, first_run: dict, tmp_path: Path
) -> None:
    folder = store_path / first_run["status"]["recoveryPoint"]
    (dump,) = folder.glob("*.dump.zst")
    with restored_copy(shop, dump, tmp_path) as copy:
        assert copy.row_counts() == shop.row_counts()
        assert copy.content_hashes() == shop.content_hashes()


def test_the_manifest_lies_beside_the_files_and_names_every_table(
    shop: Shop, store_path: Path, first_run: dict
) -> None:
    manifest = json.loads((store_path / first_run["status"]["recoveryPoint"] / "manifest.json").read_text())
    tables = {entry["table"]: entry["rows"] for file in manifest["files"] for entry in file["tables"]}
    assert tables == shop.row_counts()


def test_the_policy_is_ready_and_fresh_and_says_when_next(hold: Stronghold, first_run: dict) -> None:
    body = hold.when("backuppolicy", "shop", "Fresh")
    assert condition(body, "Ready")["status"] == "True"
    assert body["status"]["lastSuccess"]["run"] == "shop-first"
    assert body["status"]["artifactCount"] == 1
    assert body["status"]["nextScheduleTime"].endswith("T02:00:00Z")
    assert body["status"]["freshUntil"]


def test_get_shows_columns_that_answer_am_i_safe(hold: Stronghold, first_run: dict) -> None:
    shown = hold.kubectl("get", "bp,br,bs,dh").stdout
    assert "FRESH" in shown
    assert "Succeeded" in shown
    assert shown.count("True") >= 4


def test_describe_tells_the_story_by_events(hold: Stronghold, first_run: dict) -> None:
    def told() -> str | None:
        shown = hold.kubectl("describe", "backuprun", "shop-first").stdout.split("Events:")[1]
        return None if "<none>" in shown else shown

    assert "Succeeded" in eventually("events of the run", told, 30)


def test_explain_reads_the_models_sentences(hold: Stronghold) -> None:
    assert (
        "Never keep fewer verified backups" in hold.kubectl("explain", "backuppolicy.spec.retention").stdout
    )


def test_metrics_speak_of_the_last_verified_success(hold: Stronghold, first_run: dict) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{hold.metrics_port}/metrics", timeout=10) as answer:
        metrics = answer.read().decode()
    assert "strongroom_policy_fresh{" in metrics
    assert "strongroom_policy_last_success_timestamp_seconds{" in metrics


def test_status_says_safe_and_exits_with_zero(hold: Stronghold, first_run: dict) -> None:
    eventually("strongroom status is at ease", lambda: hold.strongroom("status").returncode == 0, 30)
    assert "Safe" in hold.strongroom("status").stdout


def test_the_store_knows_what_it_holds(hold: Stronghold, first_run: dict) -> None:
    body = hold.when("backupstore", "disk", "Ready")
    assert body["status"]["artifactCount"] >= 1
    assert body["status"]["totalBytes"] > 0


def test_the_password_is_nowhere_but_in_its_secret(hold: Stronghold, shop: Shop, first_run: dict) -> None:
    everything = hold.kubectl("get", "bp,br,bs,dh,jobs,events,leases", "-o", "json").stdout
    assert shop.password not in everything
    assert shop.password not in hold.log
    for path in (hold.state / "agent").rglob("*"):
        if path.is_file():
            assert shop.password.encode() not in path.read_bytes(), path


def test_backup_by_command_waits_and_reports(hold: Stronghold, first_run: dict) -> None:
    done = hold.strongroom("backup", "shop", "--wait")
    assert done.returncode == 0, done.stderr
    assert "Succeeded" in done.stdout
    assert "shop-first" in hold.strongroom("artifacts", "list").stdout
    assert "zstd -dc" in hold.strongroom("artifacts", "show", "shop-first").stdout


def test_a_backup_of_an_unknown_policy_names_those_there_are(hold: Stronghold, first_run: dict) -> None:
    done = hold.strongroom("backup", "shopp")
    assert done.returncode == 1
    assert "there are: " in done.stderr
    assert "shop" in done.stderr
