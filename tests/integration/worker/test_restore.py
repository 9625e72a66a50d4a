"""A database restored from its backup is the database that was backed up, and what stood there is kept until it is dropped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.postgres import Server
from tests.integration.worker.restorations import Restorable, restorable


@pytest.fixture
def shop(tmp_path: Path, server: Server) -> Iterator[Restorable]:
    with restorable(tmp_path, server) as made:
        made.back_up()
        yield made


def test_a_damaged_database_is_restored_and_the_damaged_one_is_kept_beside_it(shop: Restorable) -> None:
    before = shop.server.content_hashes(shop.name)
    shop.damage()
    damaged = shop.server.content_hashes(shop.name)
    finished = shop.restore()
    outcome = finished.result.restore
    assert outcome is not None
    assert shop.server.content_hashes(shop.name) == before
    assert [step.name for step in outcome.steps] == ["Fetch", "Restore", "Compare", "Swap"]
    assert all(step.state == "Succeeded" and step.finished_at for step in outcome.steps)
    (kept,) = outcome.replaced
    assert (kept.original, shop.beside()) == (shop.name, [kept.kept_as])
    shop.server.execute(f'ALTER DATABASE "{kept.kept_as}" ALLOW_CONNECTIONS true')
    assert shop.server.content_hashes(kept.kept_as) == damaged


def test_a_restore_into_a_new_database_touches_no_other(shop: Restorable) -> None:
    before = shop.server.content_hashes(shop.name)
    shop.damage()
    damaged = shop.server.content_hashes(shop.name)
    finished = shop.restore(mode="NewDatabase", database=f"{shop.name}_new")
    assert finished.result.restore is not None
    assert finished.result.restore.replaced == []
    assert shop.server.content_hashes(f"{shop.name}_new") == before
    assert shop.server.content_hashes(shop.name) == damaged
    assert shop.beside() == [f"{shop.name}_new"]


def test_a_plan_tells_what_would_be_done_and_changes_nothing(shop: Restorable) -> None:
    before = shop.state()
    finished = shop.workshop.succeed(shop.order("PlanRestore"))
    plan = finished.result.plan
    assert plan is not None
    assert plan.confirmation == shop.name
    assert plan.items[0].overwrites
    assert plan.stores == ["disk"]
    assert shop.state() == before
