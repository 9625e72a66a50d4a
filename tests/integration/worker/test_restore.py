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


@pytest.mark.parametrize("strategy", ["Clean", "DropAndCreate"])
def test_other_strategies_restore_over_the_present_database_and_keep_nothing(
    shop: Restorable, strategy: str
) -> None:
    before = shop.server.content_hashes(shop.name)
    shop.server.execute("DELETE FROM shop.order_line", shop.name)
    shop.server.execute(f"ALTER DATABASE \"{shop.name}\" SET work_mem = '7MB'")
    shop.restore(strategy=strategy)
    assert shop.state() == (before, [])
    with shop.server.connect(shop.name) as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)


def test_a_table_that_only_the_target_has_keeps_clean_from_doing_anything(shop: Restorable) -> None:
    shop.server.execute("CREATE TABLE later (id bigint REFERENCES shop.customer)", shop.name)
    shop.server.execute("DELETE FROM shop.order_line", shop.name)
    before = shop.state()
    shop.refuse("RestoreFailed", "cannot drop", strategy="Clean")
    assert shop.state() == before
    shop.uid += "2"
    shop.restore()
    assert shop.server.row_counts(shop.name)["shop.order_line"] == 2000
