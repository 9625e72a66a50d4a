"""Story: any part is killed at any moment, again and again; no run stays open, no success is false, nothing is half made."""

import hashlib
import json
import random
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.reading import NotReadError
from tests.e2e.stronghold import Stronghold, eventually, policy, run, secret, store, stronghold

from strongroom.api.manifest import Manifest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

KILLS = 32
WORKERS = 5
RUNS = 12
SEED = 20261122
PARTS = ("apiserver", "operator", "agent")
SIEGE_SECONDS = 600
DEADLINE_SECONDS = 300


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory, shop: Shop):
    folder = tmp_path_factory.mktemp("siege")
    (folder / "store").mkdir()
    shop.server.load_shop("shop_two", 20_000)
    with stronghold(folder / "state") as hold:
        patient = {"backoffLimit": 4, "startingDeadline": "20m", "deadline": f"{DEADLINE_SECONDS}s"}
        hold.apply(
            store(folder / "store"),
            secret("shop-db", password=shop.password),
            policy("besieged-0", shop.source(), **patient),
            policy("besieged-1", shop.source(databases=["shop_two"]), **patient),
        )
        yield hold, folder / "store"


def _create_run(hold: Stronghold, number: int) -> bool:
    body = run(f"run-{number:03d}", f"besieged-{number % 2}")
    done = hold.kubectl("create", "-f", "-", text=json.dumps(body), check=False)
    return done.returncode == 0 or "already exists" in done.stderr


def _kill(processes: list[psutil.Process]) -> bool:
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            continue
        return True
    return False


def _choose_victim(hold: Stronghold, chance: random.Random) -> str:
    """A worker, at a random moment of its life, if one shows itself in time and more often than not; else a part."""
    patience = time.monotonic() + chance.uniform(0.2, 4.0)
    while time.monotonic() < patience:
        if hold.part("worker") and chance.random() < 0.7:
            time.sleep(chance.uniform(0.0, 1.2))
            return "worker"
        time.sleep(0.1)
    return chance.choice(PARTS)


def test_a_siege_of_kills_ends_with_every_run_decided_and_every_backup_whole(
    besieged: tuple[Stronghold, Path],
) -> None:
    hold, store_path = besieged
    chance = random.Random(SEED)
    asked: list[str] = []
    kills = dict.fromkeys((*PARTS, "worker"), 0)
    end = time.monotonic() + SIEGE_SECONDS
    while time.monotonic() < end and (sum(kills.values()) < KILLS or kills["worker"] < WORKERS):
        if len(asked) < RUNS and _create_run(hold, len(asked)):
            asked.append(f"run-{len(asked):03d}")
        victim = _choose_victim(hold, chance)
        if _kill(hold.part(victim)):
            kills[victim] += 1
        time.sleep(chance.uniform(0.0, 1.0))
    assert sum(kills.values()) >= KILLS, kills
    assert kills["worker"] >= WORKERS, kills
    assert len(asked) == RUNS

    phases = eventually("every run is decided", lambda: _decided(hold, asked), 420, every=0.5)
    assert "Succeeded" in phases.values(), phases
    _check_store(hold, store_path, phases)
    eventually("no worker is left", lambda: not hold.part("worker"), 60)


def _decided(hold: Stronghold, asked: list[str]) -> dict[str, str] | None:
    try:
        found = hold.items("backuprun")
    except NotReadError:
        return None
    phases = {each["metadata"]["name"]: each.get("status", {}).get("phase", "") for each in found}
    missing = [
        name for name in asked if phases.get(name) not in {"Succeeded", "Failed", "Skipped", "Partial"}
    ]
    return phases if not missing else None


def _check_store(hold: Stronghold, store_path: Path, phases: dict[str, str]) -> None:
    manifests = {
        path: Manifest.model_validate_json(path.read_text()) for path in store_path.rglob("manifest.json")
    }
    runs = [manifest.run for manifest in manifests.values()]
    assert len(set(runs)) == len(runs), "a run has two recovery points"
    for path, manifest in manifests.items():
        assert manifest.verified
        for file in manifest.files:
            stored = (path.parent / file.artifact.file).read_bytes()
            assert hashlib.sha256(stored).hexdigest() == file.artifact.stored_sha256, path
            if file.artifact.kind == "database":
                plain = subprocess.run(["zstd", "-dc"], input=stored, capture_output=True, check=True).stdout
                subprocess.run(["pg_restore", "-f", "/dev/null"], input=plain, check=True)
    for name, phase in phases.items():
        if phase == "Succeeded":
            assert name in runs, f"{name} claims success and has no manifest"
            point = hold.get("backuprun", name)["status"]["recoveryPoint"]
            assert (store_path / point / "manifest.json") in manifests


def test_after_the_siege_backups_work_and_nothing_half_made_can_be_seen(
    besieged: tuple[Stronghold, Path],
) -> None:
    hold, store_path = besieged
    for number in (RUNS, RUNS + 1):
        eventually("a run can be made", lambda number=number: _create_run(hold, number), 60)
        assert hold.finished_run(f"run-{number:03d}", 180)["status"]["phase"] == "Succeeded"
    files = [path for path in store_path.rglob("*") if path.is_file()]
    unpublished = [path for path in files if path.name.startswith(".strongroom-")]
    published = [path for path in files if path not in unpublished]
    # What a killed worker had not published keeps its hidden name until its deadline is over; then a later run sweeps it.
    assert all(
        (path.parent / "manifest.json").exists() or _is_younger_than_its_deadline(path) for path in published
    )
    assert all(_is_younger_than_its_deadline(path) for path in unpublished)


def _is_younger_than_its_deadline(path: Path) -> bool:
    return time.time() - path.stat().st_mtime < DEADLINE_SECONDS + 420
