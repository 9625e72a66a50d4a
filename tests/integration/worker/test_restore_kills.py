"""SIGKILL to a worker that restores, at every step: the next one goes on, or puts the old back as if nothing had been."""

import secrets
from collections.abc import Iterator

import pytest
from tests.integration.postgres import Server
from tests.integration.worker.restorations import Restorable, restorable
from tests.keys.stock import age_pair

NEVER = {"url": "http://127.0.0.1:9/", "timeout": "60s"}
STEPS = ["Fetch", "Restore", "Compare", "Swap", "HealthCheck"]


@pytest.fixture(scope="module")
def shop(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restorable]:
    with restorable(tmp_path_factory.mktemp("kills"), server) as made:
        made.workshop.journal = made.workshop.folder / "journal"
        made.back_up()
        made.whole = made.server.content_hashes(made.name)  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def damaged(shop: Restorable) -> Restorable:
    """Damaged anew, for a request of its own."""
    shop.uid = f"uid-{secrets.token_hex(4)}"
    shop.workshop.journal = shop.workshop.folder / shop.uid
    shop.server.execute("DELETE FROM shop.order_line WHERE quantity < 5", shop.name)
    return shop


def kill_at(shop: Restorable, step: str) -> None:
    """Start a restore that ends at its health check at the latest, and kill it once it tells of that step."""
    process = shop.workshop.start(shop.order(healthCheck=NEVER))
    assert process.stdout is not None
    assert any(f'"stage":"{step}"' in line for line in process.stdout)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("step", STEPS)
def test_what_a_killed_worker_leaves_is_put_back_and_another_attempt_completes_it(
    damaged: Restorable, step: str
) -> None:
    shop = damaged
    before = shop.state()
    kill_at(shop, step)
    finished = shop.workshop.finish(shop.workshop.start(shop.order(), roll_back=True))
    assert (finished.result.outcome, finished.result.reason) == ("Succeeded", "Succeeded"), finished.result
    assert finished.result.restore is not None
    assert finished.result.restore.rolled_back
    assert shop.state() == before
    kill_at(shop, step)
    finished = shop.restore(keepsReplaced=False)
    assert shop.server.content_hashes(shop.name) == shop.whole  # type: ignore[attr-defined]
    assert shop.beside() == []


def test_the_old_is_put_back_although_no_store_answers_any_more_and_the_key_is_gone(
    damaged: Restorable,
) -> None:
    before, pair = damaged.state(), age_pair()
    damaged.workshop.write_secret("sealed", "key", pair.private)
    damaged.back_up("sealed", encryption={"age": {"recipients": [pair.public]}})
    keys = [{"name": "sealed", "key": "key"}]
    order = damaged.order(choice={"run": "sealed"}, opening={"decryptionKeys": keys}, healthCheck=NEVER)
    process = damaged.workshop.start(order)
    assert process.stdout is not None
    assert any('"stage":"HealthCheck"' in line for line in process.stdout)
    process.kill()
    process.communicate()
    (damaged.workshop.folder / "secrets/sealed/key").unlink()
    away = damaged.workshop.store.rename(damaged.workshop.store.with_name("away"))
    finished = damaged.workshop.finish(damaged.workshop.start(order, roll_back=True))
    away.rename(damaged.workshop.store)
    assert finished.result.restore is not None
    assert finished.result.restore.rolled_back, finished.result
    assert damaged.state() == before


def test_an_application_that_does_not_get_well_gets_its_old_database_back(damaged: Restorable) -> None:
    before = damaged.state()
    check = {"url": "http://127.0.0.1:9/", "timeout": "1s"}
    finished = damaged.refuse("HealthCheckFailed", "expected status 200", healthCheck=check)
    assert finished.result.restore is not None
    assert finished.result.restore.rolled_back
    states = {step.name: step.state for step in finished.result.restore.steps}
    assert (states["Swap"], states["HealthCheck"], states["RollBack"]) == (
        "RolledBack",
        "Failed",
        "Succeeded",
    )
    assert damaged.state() == before


def test_a_worker_told_to_stop_while_it_waits_for_health_puts_the_old_back(damaged: Restorable) -> None:
    before = damaged.state()
    process = damaged.workshop.start(damaged.order(healthCheck=NEVER))
    assert process.stdout is not None
    assert any('"stage":"HealthCheck"' in line for line in process.stdout)
    process.terminate()
    finished = damaged.workshop.finish(process)
    assert finished.result.reason == "Cancelled"
    assert finished.result.restore is not None
    assert finished.result.restore.rolled_back
    assert damaged.state() == before


def test_an_attempt_that_cannot_look_at_what_an_earlier_one_has_left_does_not_speak_of_it(
    damaged: Restorable,
) -> None:
    before = damaged.state()
    kill_at(damaged, "HealthCheck")
    store = damaged.workshop.store
    away = store.rename(store.with_name("away"))
    finished = damaged.workshop.run(damaged.order())
    away.rename(store)
    assert (finished.result.outcome, finished.result.restore) == ("Failed", None)
    finished = damaged.workshop.finish(damaged.workshop.start(damaged.order(), roll_back=True))
    assert finished.result.restore is not None
    assert finished.result.restore.rolled_back
    assert damaged.state() == before


def test_the_old_is_put_back_although_that_cannot_be_written_down(damaged: Restorable) -> None:
    before = damaged.state()
    assert damaged.workshop.journal is not None
    (damaged.workshop.journal / "restore.new").mkdir(parents=True)
    damaged.workshop.run(damaged.order(healthCheck={"url": "http://127.0.0.1:9/", "timeout": "1s"}))
    assert damaged.server.content_hashes(damaged.name) == before[0]


def test_an_overwritten_database_is_never_told_to_be_back(damaged: Restorable) -> None:
    order = damaged.order(strategy="DropAndCreate", safetyRun="before", healthCheck=NEVER)
    process = damaged.workshop.start(order)
    assert process.stdout is not None
    assert any('"stage":"HealthCheck"' in line for line in process.stdout)
    process.kill()
    process.communicate()
    finished = damaged.workshop.finish(damaged.workshop.start(order, roll_back=True))
    assert finished.result.reason == "RollBackFailed", finished.result.message
    assert "restore the safety backup, BackupRun before" in finished.result.message
    assert finished.result.restore is not None
    assert not finished.result.restore.rolled_back
    damaged.server.execute(f'ALTER DATABASE "{damaged.name}" IS_TEMPLATE true')
    finished = damaged.workshop.run(order)
    damaged.server.execute(f'ALTER DATABASE "{damaged.name}" IS_TEMPLATE false')
    assert finished.result.reason == "TargetInUse"
    assert "restore the safety backup, BackupRun before" in finished.result.message


def test_what_was_confirmed_and_is_dropped_already_is_made_by_the_next_attempt(damaged: Restorable) -> None:
    order = damaged.order(strategy="DropAndCreate", safetyRun="before")
    process = damaged.workshop.start(order)
    exists = f"SELECT 1 FROM pg_database WHERE datname = '{damaged.name}'"
    with damaged.server.connect() as connection:
        while connection.execute(exists).fetchone() is not None:
            assert process.poll() is None
    process.kill()
    process.communicate()
    damaged.workshop.succeed(order)
    assert damaged.state() == (damaged.whole, [])  # type: ignore[attr-defined]


def test_a_worker_that_was_killed_before_it_began_leaves_nothing_to_give_up(damaged: Restorable) -> None:
    before = damaged.state()
    (damaged.workshop.folder / "empty").mkdir()
    stores = [{"name": "empty", "spec": {"local": {"path": str(damaged.workshop.folder / "empty")}}}]
    finished = damaged.workshop.finish(damaged.workshop.start(damaged.order(stores=stores), roll_back=True))
    assert (finished.result.outcome, damaged.state()) == ("Succeeded", before), finished.result


def test_an_exchange_of_which_the_new_was_dropped_by_hand_is_undone_and_not_called_done(
    damaged: Restorable,
) -> None:
    before = damaged.state()
    kill_at(damaged, "HealthCheck")
    damaged.server.drop_database(damaged.name)
    finished = damaged.workshop.run(damaged.order())
    assert finished.result.reason == "RestoreFailed", finished.result.message
    assert "is not there any more" in finished.result.message
    assert damaged.state() == before


def test_what_clean_has_lent_is_taken_back_though_its_worker_is_killed(damaged: Restorable) -> None:
    server, name = damaged.server, damaged.name
    server.execute("DROP ROLE IF EXISTS lacking; CREATE ROLE lacking")
    server.execute("CREATE SCHEMA closed; CREATE TABLE closed.owned (n int)", name)
    server.execute("ALTER TABLE closed.owned OWNER TO lacking", name)
    rights = f"SELECT has_schema_privilege('lacking', 'closed', 'create'), {_SETTINGS}"
    order = damaged.order(strategy="Clean", safetyRun="before")
    with server.connect(name) as holder, server.connect(name) as looker:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE shop.order_line IN ACCESS SHARE MODE")
        process = damaged.workshop.start(order)
        while not looker.execute(rights).fetchone()[0]:  # type: ignore[index]
            assert process.poll() is None
        process.kill()
        process.communicate()
        assert "strongroom.lent" in str(looker.execute(rights).fetchone())
    finished = damaged.workshop.finish(damaged.workshop.start(order, roll_back=True))
    assert finished.result.reason == "RollBackFailed", finished.result
    with server.connect(name) as looker:
        assert looker.execute(rights).fetchone() == (False, None)
    server.execute("DROP SCHEMA closed CASCADE; DROP ROLE lacking", name)


_SETTINGS = """(SELECT array_agg(setconfig::text) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
WHERE d.datname = current_database() AND setconfig::text LIKE '%strongroom%')"""
