"""What a restore costs beside the seed's `pg_restore --clean --if-exists < file` and beside plain `pg_restore -j2`, in one run.

The worker's restore has all of it: reading the store, decryption, decompression, digests, the load beside the present database,
exact counts of every table, statistics, and the exchange.

python -m tests.bench.restore_bench
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.integration.postgres import PROGRAMS, Server, running_server
from tests.keys.stock import age_pair

ROUNDS = 2
ROWS = 2_500_000
JOBS = 2
TABLES = """
CREATE TABLE orders AS SELECT g AS id, g % 9973 AS customer, md5(g::text) AS note, md5((g * 7)::text) || md5((g * 11)::text) AS text,
  now() - g * interval '1 second' AS placed FROM generate_series(1, :rows) AS g;
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE INDEX ON orders (customer);
CREATE TABLE lines AS SELECT g AS id, 1 + g % :rows AS of_order, md5((g * 3)::text) AS note, md5((g * 5)::text) || md5((g * 13)::text) AS text,
  g % 100 AS quantity FROM generate_series(1, :rows * 2) AS g;
ALTER TABLE lines ADD PRIMARY KEY (id);
CREATE INDEX ON lines (of_order);
ALTER TABLE lines ADD FOREIGN KEY (of_order) REFERENCES orders;
"""


def measure_restore(rows: int = ROWS, rounds: int = ROUNDS) -> dict[str, float]:
    """Figures by name. The fastest of the rounds counts; the rounds of each way take turns."""
    with (
        running_server("-c max_wal_size=8GB -c shared_buffers=512MB") as server,
        tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name,
    ):
        folder = Path(name)
        server.create_database("bench")
        server.execute(TABLES.replace(":rows", str(rows)), "bench")
        _dump(server, folder / "seed.dump", "--compress=9")
        _dump(server, folder / "plain.dump", "--compress=0")
        _work(server, folder, _backup_order(server, folder))
        return _compare(server, folder, rounds)


def _compare(server: Server, folder: Path, rounds: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {"seed": [], "plain": [], "restore": []}
    for number in range(rounds):
        seconds["seed"].append(_seed(server, folder / "seed.dump"))
        seconds["plain"].append(_plain(server, folder / "plain.dump"))
        seconds["restore"].append(_work(server, folder, _restore_order(server, folder, number)))
    best = {name: min(times) for name, times in seconds.items()}
    return {
        "dump in plain, MB": (folder / "plain.dump").stat().st_size / 1e6,
        "seed: pg_restore --clean --if-exists < file, s": best["seed"],
        f"pg_restore -j{JOBS} of a plain file into a new database, s": best["plain"],
        "restore in place, decrypted, compared and exchanged, s": best["restore"],
        "seed against restore (aim >= 1.5)": best["seed"] / best["restore"],
        f"restore against pg_restore -j{JOBS} (aim <= 1.1)": best["restore"] / best["plain"],
    }


def _dump(server: Server, path: Path, compress: str) -> None:
    command = [PROGRAMS / "pg_dump", "--format=custom", compress, f"--file={path}"]
    subprocess.run(command, env=server.environment("bench"), check=True)


def _seed(server: Server, dump: Path) -> float:
    started = time.monotonic()
    with dump.open("rb") as file:
        command = [PROGRAMS / "pg_restore", "--dbname=bench", "--clean", "--if-exists"]
        subprocess.run(command, env=server.environment("bench"), stdin=file, check=True)
    return time.monotonic() - started


def _plain(server: Server, dump: Path) -> float:
    server.drop_database("plain")
    server.create_database("plain")
    started = time.monotonic()
    command = [PROGRAMS / "pg_restore", "--dbname=plain", f"--jobs={JOBS}", dump]
    subprocess.run(command, env=server.environment("plain"), check=True)
    seconds = time.monotonic() - started
    server.drop_database("plain")
    return seconds


def _work(server: Server, folder: Path, order: dict[str, Any]) -> float:
    """Seconds of one worker process."""
    secret = folder / "secrets/bench/password"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text(server.password)
    (folder / "order.json").write_text(json.dumps(order))
    paths = {
        "order": "order.json",
        "secrets": "secrets",
        "result": "result.json",
        "scratch": "scratch",
        "journal": "journal",
    }
    options = [f"--{name}={folder / path}" for name, path in paths.items()]
    started = time.monotonic()
    command = [sys.executable, "-m", "strongroom", "worker", *options]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    seconds = time.monotonic() - started
    said = json.loads((folder / "result.json").read_text())
    if said["outcome"] != "Succeeded":
        raise RuntimeError(said["message"])
    return seconds


def _source(server: Server) -> dict[str, Any]:
    postgres = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": "postgres",
        "passwordSecret": {"name": "bench", "key": "password"},
        "databases": ["bench"],
    }
    return {"name": "database", "postgres": postgres}


def _order(folder: Path, kind: str, uid: str, part: dict[str, Any]) -> dict[str, Any]:
    (folder / "store").mkdir(exist_ok=True)
    return {
        "version": 1,
        "kind": kind,
        "namespace": "default",
        "runUid": uid,
        "stores": [{"name": "disk", "spec": {"local": {"path": str(folder / "store")}}}],
        "deadlineSeconds": 3600,
        **part,
    }


def _backup_order(server: Server, folder: Path) -> dict[str, Any]:
    pair = age_pair()
    key = folder / "secrets/bench/key"
    key.parent.mkdir(parents=True, exist_ok=True)
    key.write_text(pair.private)
    backup = {
        "policy": "bench",
        "policyUid": "bench",
        "run": "first",
        "reason": "Manual",
        "slot": "2026-01-01T00:00:00Z",
        "sources": [_source(server)],
        "compression": {"codec": "zstd"},
        "encryption": {"age": {"recipients": [pair.public]}},
        "verification": "Full",
        "minSizePercent": 50,
        "retention": {},
        "timeZone": "UTC",
    }
    return _order(folder, "Backup", "first", {"backup": backup})


def _restore_order(server: Server, folder: Path, number: int) -> dict[str, Any]:
    restore = {
        "request": f"back-{number}",
        "choice": {"policy": "bench", "run": "first"},
        "opening": {"decryptionKeys": [{"name": "bench", "key": "key"}]},
        "mode": "InPlace",
        "targets": [_source(server)],
        "overwrites": [{"source": "database", "database": "bench"}],
        "jobs": JOBS,
        "keepsReplaced": False,
    }
    return _order(folder, "Restore", f"back-{number}", {"restore": restore})


if __name__ == "__main__":
    for name, value in measure_restore().items():
        print(f"  {name:<60} {value:10.2f}")
