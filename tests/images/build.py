"""All test images in one data root, made once for each state of the recipes.

`python -m tests.images.build` makes them now, and prints how long each took.
The whole root is kept rather than archives of images: a new Engine takes its layers by hard links in a moment.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.docker.engine import Engine, missing, running_engine
from tests.docker.slot import CACHE

RECIPES = Path(__file__).resolve().parent
BASE = "strongroom-test/base:bookworm"
POSTGRES = "strongroom-test/postgres:15"
POSTGRES_BUSYBOX = "strongroom-test/postgres:15-busybox"
WEB = "strongroom-test/web:1"
_KEPT_SECONDS = 24 * 3600
# Name to folder, in the order in which they build on each other.
_BUILT = {POSTGRES: "postgres", POSTGRES_BUSYBOX: "postgres-busybox", WEB: "web"}


def images() -> Path:
    """The prepared data root; built now, in about a minute, if nothing fits the recipes. Safe in many processes at once."""
    return kept_root(f"images-{_recipes_hash()}", _build)


def kept_root(name: str, build: Callable[[Path], None]) -> Path:
    """The folder of that name in the cache, built if it is not there; older ones of its kind go."""
    CACHE.mkdir(parents=True, exist_ok=True)
    kept, kind = CACHE / name, name.partition("-")[0]
    with _locked(CACHE / f"{kind}.lock"):
        if not kept.exists():
            _forget_unused(kind)
            build(kept)
        os.utime(kept)
    return kept


def _build(kept: Path) -> None:
    with running_engine() as engine:
        _timed(BASE, partial(_import_base, engine))
        for name, folder in _BUILT.items():
            recipe = ["--network=none", "--tag", name, RECIPES / folder]
            _timed(name, partial(engine.docker, "build", "--quiet", *recipe))
        engine.stop()
        keep_layers(engine.data_root, kept)


def _forget_unused(kind: str) -> None:
    """Of earlier recipes. A day's grace, for other test runs may still start Engines from them."""
    for older in CACHE.glob(f"{kind}-*"):
        if time.time() - older.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(older)


def _import_base(engine: Engine) -> None:
    """Streamed: the tar is never on disk."""
    with subprocess.Popen(["sh", str(RECIPES / "base/build.sh")], stdout=subprocess.PIPE) as debian:
        command = ["docker", "import", "-", BASE]
        subprocess.run(
            command, env=engine.environment(), stdin=debian.stdout, check=True, capture_output=True
        )
    if debian.returncode:
        raise subprocess.CalledProcessError(debian.returncode, "base/build.sh")


def keep_layers(data_root: Path, kept: Path) -> None:
    """Images and their layers; an Engine's id, networks and containers are not for others to have."""
    unfinished = kept.with_name(f"unfinished-{kept.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for entry in ("image", "overlay2", "vfs"):
        if (data_root / entry).exists():
            (data_root / entry).rename(unfinished / entry)
    unfinished.rename(kept)


def _recipes_hash() -> str:
    """Of every recipe and of the Engine, whose data root is not for another version to read."""
    digest = hashlib.sha256(subprocess.run(["dockerd", "--version"], check=True, capture_output=True).stdout)
    digest.update(repr(_BUILT).encode())
    for path in sorted(
        path for path in RECIPES.glob("*/*") if path.is_file() and "__pycache__" not in path.parts
    ):
        digest.update(f"{path.relative_to(RECIPES)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _timed(name: str, run: Callable[[], object]) -> None:
    begun = time.monotonic()
    run()
    print(f"{name}: {time.monotonic() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    print(missing() or images())
