"""Story: whatever is wrong, the message says which object, which field and what to do; earlier backups stay."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Shop
from tests.e2e.stronghold import Stronghold, condition, eventually, policy, run, secret, store

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def ground(hold: Stronghold, shop: Shop, store_path: Path) -> Stronghold:
    hold.apply(store(store_path), secret("shop-db", password=shop.password))
    return hold


def _message(run_body: dict[str, Any]) -> str:
    return str(condition(run_body, "Succeeded")["message"])


def _fails(hold: Stronghold, name: str, source: dict[str, Any], **spec: Any) -> dict[str, Any]:
    hold.apply(policy(name, source, **spec), run(f"{name}-run", name))
    finished = hold.finished_run(f"{name}-run")
    assert finished["status"]["phase"] == "Failed", finished["status"]
    assert condition(finished, "Succeeded")["status"] == "False"
    assert finished["status"].get("artifacts", []) == []
    return finished


def test_a_wrong_password_names_the_user_and_the_secret(ground: Stronghold, shop: Shop) -> None:
    ground.apply(secret("wrong", password="not-it"))
    failed = _fails(
        ground, "wrong-password", shop.source(passwordSecret={"name": "wrong", "key": "password"})
    )
    assert condition(failed, "Succeeded")["reason"] == "AuthenticationFailed"
    assert "wrong" in _message(failed)
    assert "not-it" not in _message(failed)


def test_an_unknown_database_is_named(ground: Stronghold, shop: Shop) -> None:
    failed = _fails(ground, "unknown-database", shop.source(databases=["nope"]))
    assert condition(failed, "Succeeded")["reason"] == "DatabaseNotFound"
    assert "nope" in _message(failed)


def test_an_unreachable_server_is_named(ground: Stronghold, shop: Shop) -> None:
    failed = _fails(ground, "unreachable", shop.source(port=1))
    assert condition(failed, "Succeeded")["reason"] == "SourceUnreachable"
    assert "127.0.0.1" in _message(failed)


def test_a_missing_secret_is_named(ground: Stronghold, shop: Shop) -> None:
    failed = _fails(ground, "no-secret", shop.source(passwordSecret={"name": "absent", "key": "password"}))
    assert condition(failed, "Succeeded")["reason"] == "SecretMissing"
    assert "absent" in _message(failed)


def test_a_secret_without_the_key_names_the_key(ground: Stronghold, shop: Shop) -> None:
    failed = _fails(ground, "no-key", shop.source(passwordSecret={"name": "shop-db", "key": "pass"}))
    assert condition(failed, "Succeeded")["reason"] == "SecretKeyMissing"
    assert "pass" in _message(failed)


@pytest.mark.parametrize(("name", "reason"), [("missing", "StoreMissing"), ("file", "StoreNotDirectory")])
def test_a_store_that_is_no_folder_says_so_on_run_and_store(
    ground: Stronghold, shop: Shop, tmp_path: Path, name: str, reason: str
) -> None:
    path = tmp_path / name
    if name == "file":
        path.touch()
    ground.apply(store(path, f"store-{name}"))
    failed = _fails(ground, f"to-{name}", shop.source(), stores=[f"store-{name}"])
    assert condition(failed, "Succeeded")["reason"] == reason
    assert str(path) in _message(failed)
    assert name == "file" or not path.exists()

    def told() -> bool:
        return condition(ground.get("backupstore", f"store-{name}"), "Ready").get("reason") == reason

    eventually(f"store-{name} says {reason}", told, 60)


def test_an_empty_database_is_refused_unless_allowed(ground: Stronghold, shop: Shop) -> None:
    shop.create_database("empty_one")
    failed = _fails(ground, "empty", shop.source(databases=["empty_one"]))
    assert condition(failed, "Succeeded")["reason"] == "EmptyDatabase"
    ground.apply(
        policy("empty-allowed", shop.source(databases=["empty_one"], allowEmpty=True)),
        run("empty-allowed-run", "empty-allowed"),
    )
    assert ground.finished_run("empty-allowed-run")["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("name", "spec", "reason", "words"),
    [
        ("impossible-cron", {"schedule": "61 2 * * *"}, "ScheduleInvalid", "spec.schedule"),
        ("unknown-zone", {"timeZone": "Europe/Atlantis"}, "TimeZoneInvalid", "spec.timeZone"),
        ("unknown-host", {"host": "elsewhere"}, "HostNotFound", "elsewhere"),
        ("unknown-store", {"stores": ["nowhere"]}, "StoreNotFound", "nowhere"),
        ("encrypted", {"encryption": {"age": {"recipients": ["age1xyz"]}}}, "KeyUnusable", "spec.encryption"),
    ],
)
def test_a_policy_that_cannot_work_is_not_ready_and_says_why(
    ground: Stronghold, shop: Shop, name: str, spec: dict[str, Any], reason: str, words: str
) -> None:
    ground.apply(policy(name, shop.source(), **spec))

    ready = condition(ground.when("backuppolicy", name, "Ready", "False"), "Ready")
    assert ready["reason"] == reason
    assert words in ready["message"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"retention": {"keepLast": 0}}, "spec.retention.keepLast"),
        ({"retention": {"keepDaily": -1}}, "spec.retention.keepDaily"),
        ({"retention": {"keepLats": 3}}, "keepLats"),
        ({"stores": ["other-namespace/disk"]}, "spec.stores[0]"),
        (
            {"sources": [{"name": "x", "postgres": {"host": "h", "user": "u"}}]},
            "needs either databases or allDatabases",
        ),
        (
            {"sources": [{"name": "x", "postgres": {"host": "-h", "user": "u", "databases": ["d"]}}]},
            "spec.sources[0].postgres.host",
        ),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_at_the_door(
    ground: Stronghold, shop: Shop, spec: dict[str, Any], words: str
) -> None:
    body = policy("refused", shop.source(), **spec)
    done = ground.kubectl("apply", "-f", "-", text=json.dumps(body), check=False)
    assert done.returncode != 0
    assert words in done.stderr
    assert ground.try_get("backuppolicy", "refused") is None


def test_a_run_of_no_policy_ends_and_says_so(ground: Stronghold) -> None:
    ground.apply(run("orphan", "nobody"))
    finished = ground.finished_run("orphan", 60)
    assert condition(finished, "Succeeded")["reason"] == "PolicyNotFound"


def test_the_spec_of_a_run_is_immutable_but_for_hold(ground: Stronghold, shop: Shop) -> None:
    ground.apply(policy("steady", shop.source()), run("steady-run", "steady"))
    ground.finished_run("steady-run")
    refused = ground.kubectl(
        "patch", "backuprun", "steady-run", "--type=merge", "-p", '{"spec":{"policy":"other"}}', check=False
    )
    assert refused.returncode != 0
    assert "immutable" in refused.stderr
    ground.kubectl("patch", "backuprun", "steady-run", "--type=merge", "-p", '{"spec":{"hold":true}}')


def test_a_restore_of_what_was_never_backed_up_is_refused_by_field(ground: Stronghold) -> None:
    ground.apply(
        {
            "apiVersion": "strongroom.dev/v1alpha1",
            "kind": "RestoreRequest",
            "metadata": {"name": "please"},
            "spec": {"from": {"run": "never-was"}, "target": {"mode": "InPlace"}},
        }
    )

    def refused() -> bool:
        found = condition(ground.get("restorerequest", "please"), "Succeeded")
        return found.get("reason") == "BackupNotFound" and "spec.from.run" in found["message"]

    eventually("the request is refused", refused, 90)


def test_odd_names_are_dumped_and_filed(ground: Stronghold, shop: Shop, store_path: Path) -> None:
    odd = 'Odd "name" with spaces, -dash, = and ünïcode'
    shop.create_database(odd, table=True)
    ground.apply(policy("odd", shop.source(databases=[odd])), run("odd-run", "odd"))
    finished = ground.finished_run("odd-run")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]
    folder = store_path / finished["status"]["recoveryPoint"]
    assert len(list(folder.iterdir())) == len(finished["status"]["artifacts"]) + 1
    assert finished["status"]["artifacts"][0]["database"] == odd


def test_nothing_half_made_is_left_in_the_store(ground: Stronghold, store_path: Path) -> None:
    uncommitted = [
        p.parent for p in store_path.rglob("*") if p.is_file() and not (p.parent / "manifest.json").exists()
    ]
    assert [folder for folder in uncommitted if folder != store_path] == []
