"""What a verified backup out of a container costs beside `docker exec … pg_dump -Fc -Z0 > /dev/null`, in one run on one Engine.

python -m tests.bench.container_bench
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.worker_bench import TABLE
from tests.docker.databases import DATABASE, USER, DatabaseContainer, start_database
from tests.docker.engine import running_engine
from tests.images.build import images

ROUNDS = 3
ROWS = 5_500_000


def measure_container(rows: int = ROWS, rounds: int = ROUNDS) -> dict[str, float]:
    """Figures by name. The fastest of the rounds counts; the rounds of each way take turns."""
    with (
        running_engine(images()) as engine,
        tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder,
    ):
        database = start_database(engine, "bench", rows=0)
        database.sql("ALTER SYSTEM SET max_wal_size = '8GB'")
        database.sql("ALTER SYSTEM SET fsync = off")
        database.sql("SELECT pg_reload_conf()")
        database.sql(TABLE.replace(":rows", str(rows)))
        database.sql("VACUUM ANALYZE orders")
        return _compare(database, Path(folder), rounds)


def _compare(database: DatabaseContainer, folder: Path, rounds: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {"exec": [], "List": [], "Full": []}
    for round_ in range(rounds):
        seconds["exec"].append(_docker_exec(database))
        for level in ("List", "Full"):
            seconds[level].append(_backup(database, folder, level, round_))
    best = {name: min(times) for name, times in seconds.items()}
    return {
        "docker exec … pg_dump -Fc -Z0 > /dev/null, s": best["exec"],
        "backup out of the container with List, s": best["List"],
        "backup out of the container with Full, s": best["Full"],
        "List against docker exec (aim <= 1.2)": best["List"] / best["exec"],
        "Full against docker exec (aim <= 1.2)": best["Full"] / best["exec"],
    }


def _docker_exec(database: DatabaseContainer) -> float:
    command = ["docker", "exec", database.name, "pg_dump", "-Fc", "-Z0", "-U", USER, DATABASE]
    started = time.monotonic()
    subprocess.run(command, env=database.engine.environment(), stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def _backup(database: DatabaseContainer, folder: Path, level: str, round_: int) -> float:
    (folder / "store").mkdir(exist_ok=True)
    order, result = folder / "order.json", folder / "result.json"
    order.write_text(json.dumps(_order(database, folder / "store", level, f"{level.lower()}-{round_}")))
    command = [sys.executable, "-m", "strongroom", "worker", "--order", order, "--secrets", folder]
    started = time.monotonic()
    subprocess.run(
        [*command, "--result", result, "--scratch", folder, "--engine", database.engine.url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    seconds = time.monotonic() - started
    said = json.loads(result.read_text())
    if said["outcome"] != "Succeeded":
        raise RuntimeError(said["message"])
    return seconds


def _order(database: DatabaseContainer, store: Path, level: str, run: str) -> dict[str, Any]:
    return {
        "version": 1,
        "kind": "Backup",
        "namespace": "default",
        "runUid": run,
        "stores": [{"name": "disk", "spec": {"local": {"path": str(store)}}}],
        "deadlineSeconds": 3600,
        "backup": {
            "policy": "bench",
            "policyUid": "bench",
            "run": run,
            "reason": "Manual",
            "slot": "2026-01-01T00:00:00Z",
            "sources": [{"name": "database", "postgres": {"container": {"name": database.name}}}],
            "compression": {"codec": "zstd"},
            "verification": level,
            "minSizePercent": 50,
            "retention": {"keepLast": 1},
            "timeZone": "UTC",
        },
    }


if __name__ == "__main__":
    for name, value in measure_container().items():
        print(f"  {name:<60} {value:10.2f}")
