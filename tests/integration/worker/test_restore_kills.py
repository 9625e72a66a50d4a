"""SIGKILL to a worker that restores, at every step: the next one goes on, or puts the old back as if nothing had been."""

import secrets
from collections.abc import Iterator

import pytest
from tests.integration.postgres import Server
from tests.integration.worker.restorations import Restorable, restorable

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


def test_the_old_is_put_back_although_no_store_answers_any_more(damaged: Restorable) -> None:
    before = damaged.state()
    kill_at(damaged, "HealthCheck")
    store = damaged.workshop.store
    away = store.with_name("away")
    store.rename(away)
    try:
        finished = damaged.workshop.finish(damaged.workshop.start(damaged.order(), roll_back=True))
    finally:
        away.rename(store)
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
    finished = damaged.workshop.run({**order, "restore": {**order["restore"], "confirmed": "other"}})
    assert finished.result.reason == "ConfirmationWrong"
    assert "restore the safety backup, BackupRun before" in finished.result.message
