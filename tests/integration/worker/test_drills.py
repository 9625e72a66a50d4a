"""A drill restores a backup into a server of its own, compares and checks it, and leaves nothing; it catches what does not restore."""

import json
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.worker.drills import Drills, servers_below
from tests.integration.worker.restorations import made_up_extension
from tests.integration.worker.workshop import Workshop
from tests.keys.stock import PASSPHRASE, KeyPair, age_pair, gpg_ring


@pytest.fixture
def drills(workshop: Workshop) -> Drills:
    return Drills(workshop)


def as_superuser(drills: Drills, database: str) -> dict[str, Any]:
    drills.workshop.write_secret("admin", "password", drills.workshop.server.password)
    secret = {"name": "admin", "key": "password"}
    return drills.workshop.source(user="postgres", databases=[database], passwordSecret=secret)


def nothing_left(workshop: Workshop) -> bool:
    return not servers_below(workshop.folder) and not list((workshop.folder / "scratch").iterdir())


def test_a_drill_restores_and_compares_every_table_and_leaves_nothing(drills: Drills) -> None:
    drills.back_up()
    counts = drills.workshop.server.row_counts("shop")
    outcome = drills.passed(
        checks=[
            {"name": "orders", "query": "SELECT count(*) FROM shop.order_line", "atLeast": 1},
            {"name": "one", "query": "SELECT 'a\\b', 2", "expect": "a\\b"},
        ]
    )
    compared = {check.name for check in outcome.checks}
    assert {f"shop: rows of {table}" for table in counts} <= compared
    assert {"check orders", "check one"} <= compared
    assert outcome.store == "disk"
    assert outcome.restore_seconds > 0
    assert nothing_left(drills.workshop)


def test_a_check_that_is_not_met_or_fails_is_told_with_what_was_found(drills: Drills) -> None:
    drills.back_up()
    outcome = drills.alarm(
        "ComparisonFailed",
        checks=[
            {"name": "few", "query": "SELECT count(*) FROM shop.order_line", "expect": "1"},
            {"name": "none", "query": "SELECT 1 FROM shop.nowhere", "atLeast": 1},
            {"name": "writes", "query": "DELETE FROM shop.order_line RETURNING 1", "atLeast": 1},
            {"name": "reads-files", "query": "SELECT pg_read_file('/etc/hostname')", "atLeast": 1},
            {"name": "elsewhere", "query": "SELECT 1", "database": "other", "expect": "1"},
        ],
    )
    failed = {check.name: str(check.found) for check in outcome.checks if not check.passed}
    assert failed["check few"].isdecimal()
    assert "does not exist" in failed["check none"]
    assert "permission denied" in failed["check writes"] or "read-only" in failed["check writes"]
    assert "permission denied" in failed["check reads-files"]
    assert 'no database "other"' in failed["check elsewhere"]
    assert nothing_left(drills.workshop)


def test_a_corrupt_copy_in_one_of_three_stores_is_caught_when_its_turn_comes(drills: Drills) -> None:
    stores = []
    for name in ("one", "two", "three"):
        (drills.workshop.folder / name).mkdir()
        stores.append({"name": name, "spec": {"local": {"path": str(drills.workshop.folder / name)}}})
    made = drills.back_up(stores=stores)
    path = drills.workshop.folder / "two" / str(made.result.recovery_point) / made.artifact.file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    known = {"recoveryPoint": made.result.recovery_point}
    assert drills.passed(stores=stores[:1], choice=known).store == "one"
    assert drills.alarm("ArtifactCorrupt", stores=stores[1:2], choice=known).store == "two"
    assert drills.passed(stores=stores[2:], choice=known).store == "three"
    path.unlink()
    assert drills.alarm("ArtifactCorrupt", stores=stores[1:2], choice=known).store == "two"
    drills.could_not(
        "StoreMissing",
        stores=[{"name": "two", "spec": {"local": {"path": str(drills.workshop.folder / "away")}}}],
        choice=known,
    )
    assert nothing_left(drills.workshop)


def test_a_store_without_the_copy_that_its_run_tells_of_is_an_alarm(drills: Drills) -> None:
    made = drills.back_up()
    point = str(made.result.recovery_point)
    shutil.rmtree(drills.workshop.store / point)
    outcome = drills.alarm("BackupNotFound", choice={"recoveryPoint": point})
    assert (outcome.recovery_point, outcome.run, outcome.store) == (point, "first", "disk")


def test_other_rows_than_the_manifest_tells_of_are_an_alarm(drills: Drills) -> None:
    made = drills.back_up()
    path = drills.workshop.store / str(made.result.recovery_point) / "manifest.json"
    manifest = json.loads(path.read_bytes())
    table = next(each for each in manifest["files"][0]["tables"] if each["rows"] > 1)
    table["rows"] -= 1
    path.chmod(0o600)
    path.write_text(json.dumps(manifest))
    outcome = drills.alarm("ComparisonFailed")
    (failed,) = [check for check in outcome.checks if not check.passed]
    assert (failed.name, failed.expected) == (f"shop: rows of {table['table']}", str(table["rows"]))


def test_an_encrypted_backup_is_opened_by_its_key_and_by_no_other(drills: Drills) -> None:
    identity, other = age_pair(), age_pair()
    drills.back_up(encryption={"age": {"recipients": [identity.public]}})
    drills.workshop.write_secret("keys", "own", identity.private)
    drills.workshop.write_secret("keys", "other", other.private)
    assert drills.passed(opening={"decryptionKeys": [{"name": "keys", "key": "own"}]}).compared_count > 1
    drills.alarm("DecryptionFailed", opening={"decryptionKeys": [{"name": "keys", "key": "other"}]})
    drills.could_not("DecryptionFailed")
    drills.could_not("SecretKeyMissing", opening={"decryptionKeys": [{"name": "keys", "key": "lost"}]})


@pytest.mark.parametrize("kind", ["gpg", "openssl"])
def test_backups_that_stock_gpg_or_openssl_would_open_are_drilled(drills: Drills, kind: str) -> None:
    write, key = drills.workshop.write_secret, {"name": "keys", "key": "private"}
    with gpg_ring() as ring:
        pair = ring.pair("one") if kind == "gpg" else KeyPair("", PASSPHRASE)
    write("keys", "private", pair.private)
    write("keys", "public", pair.public)
    gpg = {"publicKeySecrets": [{"name": "keys", "key": "public"}]}
    openssl = {"passphraseSecret": key, "iterations": 10_000}
    drills.back_up(encryption={kind: gpg if kind == "gpg" else openssl})
    assert drills.passed(opening={"decryptionKeys": [key]}).compared_count > 1


def test_a_store_that_goes_away_midway_says_nothing_of_the_copy(drills: Drills) -> None:
    drills.back_up()
    store = drills.workshop.store
    process = drills.workshop.start(drills.order())
    assert process.stdout is not None
    # Chosen it is then, and its server is about to be made.
    assert any('"stage":"Connect","source":"database"' in line for line in process.stdout)
    away = store.rename(store.with_name("away"))
    finished = drills.workshop.finish(process)
    away.rename(store)
    assert (finished.result.reason, finished.result.drill) == ("StoreMissing", None), finished.result.message


def test_a_database_named_as_the_servers_own_is_drilled(drills: Drills) -> None:
    with drills.workshop.server.connect("postgres") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS own AS SELECT 1 AS n")
    drills.back_up(source=as_superuser(drills, "postgres"))
    assert drills.passed(checks=[{"name": "own", "query": "SELECT n FROM own", "expect": "1"}])
    with drills.workshop.server.connect("postgres") as connection:
        connection.execute("DROP TABLE own")


def test_an_extension_that_the_throw_away_server_lacks_says_nothing_of_the_backup(drills: Drills) -> None:
    server, name = drills.workshop.server, f"extended_{secrets.token_hex(4)}"
    server.create_database(name)
    try:
        with made_up_extension("made_up_drill") as forget:
            server.execute("CREATE EXTENSION made_up_drill", name)
            drills.back_up(source=as_superuser(drills, name) | {"allowEmpty": True})
            forget()
            assert "made_up_drill" in drills.could_not("ExtensionMissing")
    finally:
        server.drop_database(name)


def test_what_this_machine_lacks_says_nothing_of_the_backup(drills: Drills) -> None:
    made = drills.back_up()
    path = drills.workshop.store / str(made.result.recovery_point) / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"][0]["artifact"]["serverVersion"] = "9.6"
    path.chmod(0o600)
    path.write_text(json.dumps(manifest))
    application = {"image": "web", "port": 80, "database": "shop"}
    assert "set spec.drill.image" in drills.could_not("Unsupported", application=application)
    words = drills.could_not("ClientMissing")
    assert "PostgreSQL 9" in words
    assert "spec.drill.image" in words


def test_files_are_unpacked_compared_and_removed(drills: Drills, tmp_path: Path) -> None:
    media = tmp_path / "media"
    (media / "deep").mkdir(parents=True)
    (media / "deep/picture").write_bytes(secrets.token_bytes(100_000))
    (media / "note").write_text("kept")
    sources = [
        {"name": "database", "postgres": drills.workshop.source()},
        {"name": "media", "files": {"path": str(media)}},
    ]
    made = drills.back_up(sources=sources)
    outcome = drills.passed()
    assert any(check.name == "source media: sum of all contents' digests" for check in outcome.checks)
    path = drills.workshop.artifact_path(made, 1)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-10])
    drills.alarm(
        "ArtifactCorrupt", choice={"sources": ["media"], "recoveryPoint": made.result.recovery_point}
    )
    assert nothing_left(drills.workshop)


def test_a_drill_that_does_not_end_in_its_time_has_not_passed(drills: Drills) -> None:
    drills.back_up()
    drills.alarm(
        "DeadlineExceeded",
        deadlineSeconds=8,
        checks=[{"name": "slow", "query": "SELECT 1 FROM pg_sleep(60)", "expect": "1"}],
    )
    assert nothing_left(drills.workshop)


def test_a_server_dies_with_its_worker_and_the_next_drill_is_not_disturbed(drills: Drills) -> None:
    drills.back_up()
    order = drills.order(checks=[{"name": "slow", "query": "SELECT 1 FROM pg_sleep(60)", "expect": "1"}])
    process = drills.workshop.start(order)
    assert process.stdout is not None
    for line in process.stdout:
        if '"Compare"' in line:
            break
    assert servers_below(drills.workshop.folder)
    process.kill()
    process.communicate()
    while servers_below(drills.workshop.folder):
        time.sleep(0.05)
    assert drills.passed()
