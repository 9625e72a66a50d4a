"""What a verified backup costs beside what people run today: time, memory and size, on one database of a gigabyte.

python -m tests.bench.worker_bench
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.postgres import PROGRAMS, Server, running_server

ROUNDS = 3
ROWS = 5_500_000
SETTINGS = "-c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=8GB -c shared_buffers=256MB"
TABLE = """
CREATE TABLE orders AS
SELECT g AS id, (g * 7919) % 100000 AS customer, md5(g::text) || ' ' || md5((g * 7)::text) AS note,
       (g % 100000)::numeric / 100 AS amount, timestamptz '2026-01-01 00:00Z' + g * interval '1 second' AS created,
       jsonb_build_object('sku', g % 5000, 'tags', ARRAY['a', 'b', md5((g % 1000)::text)], 'qty', g % 9) AS payload
FROM generate_series(1::bigint, :rows) AS g
"""


def measure_worker(rows: int = ROWS, rounds: int = ROUNDS) -> dict[str, float]:
    """Figures by name. The fastest of the rounds counts; the rounds of each way take turns."""
    with (
        running_server(SETTINGS) as server,
        tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder,
    ):
        fill(server, rows)
        return _compare(server, Path(folder), rounds)


def fill(server: Server, rows: int) -> None:
    """The database."""
    server.create_database("bench")
    server.execute(TABLE.replace(":rows", str(rows)), "bench")
    server.execute("VACUUM ANALYZE orders", "bench")


def _compare(server: Server, folder: Path, rounds: int) -> dict[str, float]:
    ways: dict[str, Callable[[int], float]] = {
        "Z0": lambda _: timed(lambda: _plain_dump(server)),
        "List": lambda round_: _backup(server, folder, "List", round_)[0],
        "Full": lambda round_: _backup(server, folder, "Full", round_)[0],
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(way(round_))
    best = {name: min(times) for name, times in seconds.items()}
    old = folder / "old.dump"
    seeds = timed(lambda: _old_way(server, old))
    _, memory, artifact = _backup(server, folder, "Full", rounds)
    return {
        "dump itself, MiB": artifact["plainBytes"] / 2**20,
        "pg_dump -Fc -Z0 > /dev/null, s": best["Z0"],
        "backup with List, s": best["List"],
        "backup with Full, s": best["Full"],
        "pg_dump -Fc --compress=9 + pg_restore --list, s": seeds,
        "Full against Z0 (aim <= 1.4)": best["Full"] / best["Z0"],
        "List against Z0 (aim <= 1.2)": best["List"] / best["Z0"],
        "compress=9 against Full (aim >= 3)": seeds / best["Full"],
        "artifact against compress=9 (aim < 1)": artifact["storedBytes"] / old.stat().st_size,
        "peak memory of the worker, MiB (aim < 150)": memory,
    }


def timed(act: Callable[[], Any]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def _plain_dump(server: Server) -> None:
    command = [PROGRAMS / "pg_dump", "-Fc", "-Z0"]
    subprocess.run(command, env=server.environment("bench"), stdout=subprocess.DEVNULL, check=True)


def _old_way(server: Server, target: Path) -> None:
    """As the shell scripts do it: the file is synced too, because ours is."""
    command: list[str | Path] = [PROGRAMS / "pg_dump", "-Fc", "--compress=9", "-f", target]
    subprocess.run(command, env=server.environment("bench"), check=True)
    os.sync()
    subprocess.run([PROGRAMS / "pg_restore", "--list", target], stdout=subprocess.DEVNULL, check=True)


def _backup(server: Server, folder: Path, level: str, round_: int) -> tuple[float, float, dict[str, Any]]:
    """Seconds, peak memory in MiB (of the worker and of each of its children) and the artifact's description."""
    (folder / "store").mkdir(exist_ok=True)
    stores = [{"name": "disk", "spec": {"local": {"path": str(folder / "store")}}}]
    order = build_order(server, stores, f"{level.lower()}-{round_}", verification=level)
    seconds, memory, said = run_order(server, folder, order)
    return seconds, memory, said["artifacts"][0]


def run_order(server: Server, folder: Path, order: dict[str, Any]) -> tuple[float, float, dict[str, Any]]:
    """Seconds, peak memory in MiB (of the worker and of each of its children) and the result."""
    (folder / "secrets/db").mkdir(parents=True, exist_ok=True)
    (folder / "secrets/db/password").write_text(server.password)
    path, result = folder / "order.json", folder / "result.json"
    path.write_text(json.dumps(order))
    paths = ["--order", path, "--secrets", folder / "secrets", "--result", result, "--scratch", folder]
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "strongroom", "worker", *paths],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    said = json.loads(result.read_text())
    if said["outcome"] != "Succeeded":
        raise RuntimeError(said["message"])
    return seconds, usage.ru_maxrss / 1024, said


def build_order(server: Server, stores: list[dict[str, Any]], run: str, **backup: Any) -> dict[str, Any]:
    """A backup of the database into those stores, of which each keeps the last."""
    postgres = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": "postgres",
        "passwordSecret": {"name": "db", "key": "password"},
        "databases": ["bench"],
    }
    return {
        "version": 1,
        "kind": "Backup",
        "namespace": "default",
        "runUid": run,
        "stores": stores,
        "deadlineSeconds": 3600,
        "backup": {
            "policy": "bench",
            "policyUid": "bench",
            "run": run,
            "reason": "Manual",
            "slot": "2026-01-01T00:00:00Z",
            "sources": [{"name": "database", "postgres": postgres}],
            "compression": {"codec": "zstd"},
            "verification": "Full",
            "minSizePercent": 50,
            "retention": {"keepLast": 1},
            "timeZone": "UTC",
            **backup,
        },
    }


if __name__ == "__main__":
    for name, value in measure_worker().items():
        print(f"{name:50} {value:10.2f}")
