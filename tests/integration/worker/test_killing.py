"""SIGKILL at any moment, then the same order again: exactly one recovery point, nothing half visible."""

import os
import random
import time
from pathlib import Path

import pytest
from tests.integration.worker.workshop import Workshop

from strongroom.api.errors import Reason
from strongroom.stores.local import LocalStore

KILLS = 15


def test_a_killed_worker_and_its_successor_leave_exactly_one_recovery_point(workshop: Workshop) -> None:
    lines = len(workshop.succeed(workshop.order("unharmed")).stdout.splitlines())
    chance = random.Random(20260102)
    killed = 0
    for number in range(KILLS):
        order = workshop.order(f"run-{number}")
        process = workshop.start(order)
        assert process.stdout is not None
        for _ in range(chance.randrange(lines)):
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        killed += process.poll() is None
        process.kill()
        process.communicate()
        assert all(manifest.verified for manifest in workshop.manifests())
        if number % 5 == 4:
            workshop.succeed(order)
            assert [m.run for m in workshop.manifests()].count(f"run-{number}") == 1
    assert killed > KILLS / 2
    runs = [manifest.run for manifest in workshop.manifests()]
    assert len(runs) == len(set(runs))


@pytest.mark.parametrize("stage", ["Commit", "Prune"])
def test_an_order_to_stop_after_the_proof_costs_no_backup(workshop: Workshop, stage: str) -> None:
    for run in ("one", "two"):
        workshop.succeed(workshop.order(run))
    process = workshop.start(workshop.order("stopped", retention={"keepLast": 1}))
    assert process.stdout is not None
    next(line for line in process.stdout if f'"{stage}"' in line)
    process.terminate()
    finished = workshop.finish(process)
    assert (finished.code, finished.result.outcome) == (0, "Succeeded"), finished.result.message
    assert finished.result.copies[0].state == "Succeeded"
    outcome, left = finished.result.retention[0], {manifest.run for manifest in workshop.manifests()}
    assert left == {"one", "two", "stopped"} - set(outcome.deleted_runs)
    assert len(left) == outcome.kept or "SIGTERM" in str(outcome.blocked)
    assert not list((workshop.folder / "scratch").rglob("pgpass"))


def test_of_two_workers_with_one_order_one_commits_and_the_other_waits_for_its_turn(
    workshop: Workshop,
) -> None:
    with LocalStore(workshop.store).claim("default/shop/"):
        finished = workshop.run_here(workshop.order("twice"))
    assert finished.result.reason == Reason.TargetBusy.name
    assert finished.result.retryable
    assert "store disk: another worker" in finished.result.message
    assert workshop.files() == []
    workshop.succeed(workshop.order("twice"))
    assert [manifest.run for manifest in workshop.manifests()] == ["twice"]


def test_what_dead_attempts_left_is_swept_once_their_deadline_is_past(workshop: Workshop) -> None:
    point = workshop.store / "default/shop/20250101T000000Z-dead"
    point.mkdir(parents=True)
    (point / "database.shop.dump.zst").write_bytes(b"half")
    (point / ".strongroom-0123").write_bytes(b"less than half")
    foreign = workshop.store / "default/shop/notes.txt"
    foreign.write_text("not ours")
    workshop.succeed(workshop.order("young"))
    assert point.exists()
    for path in point.iterdir():
        _age(path)
    _age(foreign)
    workshop.succeed(workshop.order("later"))
    assert not point.exists()
    assert foreign.read_text() == "not ours"


def _age(path: Path) -> None:
    os.utime(path, (1_700_000_000, 1_700_000_000))
