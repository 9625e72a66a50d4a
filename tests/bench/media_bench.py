"""What a verified archive of a media folder costs beside the seed's `tar -czf`: some 2 GB of mixed files, most of them small.

python -m tests.bench.media_bench
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 2
_PHOTOS = 1_200
_DOCUMENTS = 40
_SMALL = 42_000
_WORDS = [f"{number * 7919 % 30011:x}" + "aeiou"[number % 5] * (number % 4) for number in range(4000)]


def measure_media(rounds: int = ROUNDS) -> dict[str, float]:
    """Figures by name. The fastest of the rounds counts; the rounds of each way take turns."""
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        make_media(folder / "media")
        return _compare(folder, rounds)


def make_media(root: Path) -> None:
    """Photos that do not compress, documents that do by half, and small files of text."""
    chance = random.Random(1)
    lines = [" ".join(chance.choices(_WORDS, k=12)) for _ in range(20_000)]

    def text(size: int) -> bytes:
        return "\n".join(chance.choices(lines, k=size // 90)).encode()

    for number in range(_PHOTOS):
        _write(root / f"photos/{number % 40}/{number}.jpg", os.urandom(chance.randint(200_000, 1_800_000)))
    for number in range(_DOCUMENTS):
        _write(root / f"documents/{number}.pdf", os.urandom(5_000_000) + text(5_000_000))
    for number in range(_SMALL):
        _write(root / f"notes/{number % 200}/{number}.txt", text(chance.randint(600, 16_000)))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _compare(folder: Path, rounds: int) -> dict[str, float]:
    media, old = folder / "media", folder / "old.tar.gz"
    said: dict[str, Any] = {}
    ways: dict[str, Callable[[int], Any]] = {
        "read": lambda _: subprocess.run(f"tar -cf - -C {media} . | cat > /dev/null", shell=True, check=True),
        "seed": lambda _: _old_way(media, old),
        "pipe": lambda _: subprocess.run(
            f"tar -cf - -C {media} . | zstd -q -f -3 -T2 -o {folder}/pipe.tar.zst && sync",
            shell=True,
            check=True,
        ),
        "ours": lambda round_: said.update(_backup(folder, round_)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(_timed(lambda way=way, round_=round_: way(round_)))
    best = {name: min(times) for name, times in seconds.items()}
    return {
        "files, unpacked, MiB": said["memberBytes"] / 2**20,
        "members": said["memberCount"],
        "tar to /dev/null, s": best["read"],
        "tar -czf, s": best["seed"],
        "tar | zstd -3 -T2, nothing proved, s": best["pipe"],
        "backup, read back, s": best["ours"],
        "tar -czf against backup (aim >= 8)": best["seed"] / best["ours"],
        "artifact against tar -czf (aim < 1)": said["storedBytes"] / old.stat().st_size,
        "peak memory of the worker, MiB (aim < 150)": said["memory"],
    }


def _timed(act: Callable[[], Any]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def _old_way(media: Path, target: Path) -> None:
    """As the shell script does it: the file is synced too, because ours is."""
    subprocess.run(["tar", "-czf", target, "-C", media, "."], check=True)
    os.sync()


def _backup(folder: Path, round_: int) -> dict[str, Any]:
    """The artifact's description, with the worker's peak memory in MiB."""
    for name in ("store", "secrets"):
        (folder / name).mkdir(exist_ok=True)
    order, result = folder / "order.json", folder / "result.json"
    order.write_text(json.dumps(_order(folder, f"run-{round_}")))
    command = [
        "-m",
        "strongroom",
        "worker",
        "--order",
        order,
        "--secrets",
        folder / "secrets",
        "--result",
        result,
    ]
    process = subprocess.Popen(
        [sys.executable, *command, "--scratch", folder / "scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    said = json.loads(result.read_text())
    if said["outcome"] != "Succeeded":
        raise RuntimeError(said["message"])
    return {**said["artifacts"][0], "memory": usage.ru_maxrss / 1024}


def _order(folder: Path, run: str) -> dict[str, Any]:
    return {
        "kind": "Backup",
        "namespace": "default",
        "runUid": run,
        "stores": [{"name": "disk", "spec": {"local": {"path": str(folder / "store")}}}],
        "deadlineSeconds": 3600,
        "backup": {
            "policy": "bench",
            "policyUid": "bench",
            "run": run,
            "reason": "Manual",
            "slot": "2026-01-01T00:00:00Z",
            "sources": [{"name": "media", "files": {"path": str(folder / "media")}}],
            "compression": {"codec": "zstd"},
            "verification": "Full",
            "minSizePercent": 50,
            "retention": {"keepLast": 1},
            "timeZone": "UTC",
        },
    }


if __name__ == "__main__":
    for name, value in measure_media().items():
        print(f"{name:50} {value:10.2f}")
