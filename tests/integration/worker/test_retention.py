"""Retention in a real store: manifest first, only after success, never the last good one."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.postgres import Server
from tests.integration.worker.workshop import Finished, Workshop

FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def _tiny(server: Server) -> None:
    server.create_database("tiny")
    server.execute("CREATE TABLE t AS SELECT 1 AS n", "tiny")


def back_up(workshop: Workshop, day: int, **backup: object) -> Finished:
    order = workshop.order(
        f"day-{day}",
        source=workshop.source(databases=["tiny"], globals=False),
        slot=(FIRST + timedelta(days=day)).isoformat(),
        **backup,  # type: ignore[arg-type]
    )
    return workshop.run_here(order)


def runs(workshop: Workshop) -> list[str]:
    return [manifest.run for manifest in workshop.manifests()]


def test_only_what_a_rule_keeps_remains(workshop: Workshop) -> None:
    for day in range(4):
        finished = back_up(workshop, day, retention={"keepLast": 2})
    assert runs(workshop) == ["day-2", "day-3"]
    assert finished.result.retention[0].deleted_runs == ["day-1"]
    assert finished.result.retention[0].kept == 2
    assert {name.split("/")[2] for name in workshop.files()} == {
        "20260103T120000Z-day-2",
        "20260104T120000Z-day-3",
    }


def test_a_dry_run_says_what_the_real_one_then_does(workshop: Workshop) -> None:
    for day in range(3):
        back_up(workshop, day)
    dry = back_up(workshop, 3, retention={"keepLast": 1, "dryRun": True})
    assert len(runs(workshop)) == 4
    real = back_up(workshop, 3, retention={"keepLast": 1})
    assert (
        dry.result.retention[0].deleted_runs
        == real.result.retention[0].deleted_runs
        == ["day-0", "day-1", "day-2"]
    )
    assert runs(workshop) == ["day-3"]


def test_held_runs_stay(workshop: Workshop) -> None:
    for day in range(3):
        back_up(workshop, day, retention={"keepLast": 1}, heldRuns=["day-0"])
    assert runs(workshop) == ["day-0", "day-2"]


def test_more_deletions_than_allowed_are_none(workshop: Workshop) -> None:
    for day in range(3):
        back_up(workshop, day)
    finished = back_up(workshop, 3, retention={"keepLast": 1, "maxDeletions": 2})
    assert "maxDeletions" in str(finished.result.retention[0].blocked)
    assert len(runs(workshop)) == 4


def test_a_failed_run_deletes_nothing(workshop: Workshop) -> None:
    for day in range(2):
        back_up(workshop, day)
    workshop.write_secret("shop-db", "password", "wrong")
    assert back_up(workshop, 2, retention={"keepLast": 1}).result.outcome == "Failed"
    assert runs(workshop) == ["day-0", "day-1"]


def test_a_backup_from_the_future_stops_deletion(workshop: Workshop) -> None:
    for day in (36500, 1, 2):
        finished = back_up(workshop, day, retention={"keepLast": 1})
    assert "clock is suspect" in str(finished.result.retention[0].blocked)
    assert len(runs(workshop)) == 3


def test_damaged_backups_neither_count_nor_go(workshop: Workshop) -> None:
    back_up(workshop, 0)
    next(workshop.store.rglob("database.tiny.dump.zst")).unlink()
    back_up(workshop, 1)
    (workshop.store / "default/shop/20260101T110000Z-odd").mkdir()
    (workshop.store / "default/shop/20260101T110000Z-odd/manifest.json").write_text("{}")
    back_up(workshop, 2, retention={"keepLast": 1})
    kept = {name.split("/")[2] for name in workshop.files()}
    assert kept == {"20260101T110000Z-odd", "20260101T120000Z-day-0", "20260103T120000Z-day-2"}


def test_the_history_of_another_policy_of_the_same_name_is_not_deleted(workshop: Workshop) -> None:
    for day in range(2):
        back_up(workshop, day, retention={}, policyUid="uid-of-the-one-before")
    for day in range(2, 5):
        finished = back_up(workshop, day, retention={"keepLast": 1})
    assert runs(workshop) == ["day-0", "day-1", "day-4"]
    assert finished.result.retention[0].foreign == 2
    assert finished.result.retention[0].kept == 3
