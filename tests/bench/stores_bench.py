"""What copies in several stores cost, encrypted and each read back, beside the seed's steps one after another.

python -m tests.bench.stores_bench
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.worker_bench import ROWS, SETTINGS, build_order, fill, run_order, timed
from tests.integration.postgres import PROGRAMS, Server, running_server
from tests.keys.stock import age_pair, gpg_ring
from tests.s3.server import running_s3
from tests.s3.stores import bucket_spec, write_keys
from tests.ssh.server import PLACE, USER, SshServer, running_ssh
from tests.ssh.stores import ssh_spec, write_login

ROUNDS = 2


@dataclass(frozen=True)
class Place:
    """A store, and how the seed brings a finished file to the same place."""

    name: str
    spec: dict[str, Any]
    send: Callable[[Path], object]


def measure_stores(rows: int = ROWS, rounds: int = ROUNDS) -> dict[str, float]:
    """Figures by name. The fastest of the rounds counts; the rounds of each way take turns."""
    with (
        running_server(SETTINGS) as server,
        tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name,
        tempfile.TemporaryDirectory(prefix="strongroom-s3-") as objects,
        running_s3(Path(objects)) as s3,
        tempfile.TemporaryDirectory(prefix="strongroom-ssh-") as vaults,
        running_ssh(Path(vaults)) as ssh,
    ):
        folder = Path(name)
        fill(server, rows)
        write_keys(folder / "secrets", s3)
        bucket = s3.make_bucket()

        def upload(path: Path) -> None:
            s3.client().upload_file(str(path), bucket, path.name)

        vault = Place("vault", bucket_spec(s3.endpoint, bucket), upload)
        places = [_disk(folder, "disk"), vault, _far(folder, ssh)]
        return _compare(server, folder, places, rounds)


def _far(folder: Path, ssh: SshServer) -> Place:
    """A folder of the SSH server: a store by SFTP, and the target of scp."""
    write_login(folder / "secrets", ssh)
    name = ssh.make_folder()
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{ssh.port} {ssh.host_key()}\n")
    options = ["-q", "-P", str(ssh.port), "-i", ssh.folder / "key", "-o", f"UserKnownHostsFile={known}"]

    def send(path: Path) -> None:
        subprocess.run(["scp", *options, path, f"{USER}@127.0.0.1:{PLACE}/{name}/"], check=True)

    return Place("far", ssh_spec("sftp", ssh, name), send)


def _disk(folder: Path, name: str) -> Place:
    path = folder / name
    path.mkdir(exist_ok=True)

    def copy(file: Path) -> None:
        shutil.copy(file, path)
        os.sync()

    return Place(name, {"local": {"path": str(path)}}, copy)


def _compare(server: Server, folder: Path, places: list[Place], rounds: int) -> dict[str, float]:
    encryption = {"age": {"recipients": [age_pair().public]}}
    disks = [_disk(folder, name) for name in ("one", "two", "three")]
    memory: dict[str, float] = {}

    def back_up(name: str, targets: list[Place], round_: int) -> float:
        stores = [{"name": place.name, "spec": place.spec} for place in targets]
        order = build_order(server, stores, f"{name}-{round_}", encryption=encryption)
        seconds, peak, _ = run_order(server, folder, order)
        memory[name] = max(memory.get(name, 0.0), peak)
        return seconds

    with gpg_ring() as ring:
        ring.pair("bench")
        ways: dict[str, Callable[[int], float]] = {
            "ours": lambda round_: back_up("ours", places, round_),
            "seed": lambda _: timed(lambda: _old_way(server, folder, ring.home, places)),
            "one": lambda round_: back_up("one", disks[:1], round_),
            "three": lambda round_: back_up("three", disks, round_),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for round_ in range(rounds):
            for name, way in ways.items():
                seconds[name].append(way(round_))
    best = {name: min(times) for name, times in seconds.items()}
    kinds = " + ".join(next(iter(place.spec)) for place in places)
    return {
        f"dump, zstd, age, {kinds}, all read back, s": best["ours"],
        "the seed's steps to the same places, s": best["seed"],
        "seed against ours (aim >= 3.5)": best["seed"] / best["ours"],
        "one local store, s": best["one"],
        "three local stores, s": best["three"],
        "throughput of three against one (aim >= 0.8)": best["one"] / best["three"],
        f"peak memory of the worker, {kinds}, MiB (aim < 200)": memory["ours"],
        "peak memory of the worker, three local, MiB (aim < 200)": memory["three"],
    }


def _old_way(server: Server, folder: Path, home: Path, places: list[Place]) -> None:
    """pg_dump --compress=9, gpg --encrypt, and a copy to each place, one after the other. Nothing is verified."""
    dump = folder / "backup.sql.gz"
    sealed = folder / "backup.sql.gz.gpg"
    sealed.unlink(missing_ok=True)
    command: list[str | Path] = [PROGRAMS / "pg_dump", "-Fc", "--compress=9", "-f", dump]
    subprocess.run(command, env=server.environment("bench"), check=True)
    gpg = ["gpg", "--batch", "--quiet", "--trust-model", "always", "--recipient", "bench@example.com"]
    environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home)}
    subprocess.run([*gpg, "--output", sealed, "--encrypt", dump], env=environment, check=True)
    for place in places:
        place.send(sealed)


if __name__ == "__main__":
    for name, value in measure_stores().items():
        print(f"{name:60} {value:10.2f}")
