"""The one-node Kubernetes of a test run: started by whichever of its processes asks first, ended some time after its last test."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.building import build
from tests.cluster.place import KUBECONFIG, RUN_VARIABLE, tests_lock
from tests.docker.engine import ROOT, EngineError
from tests.docker.slot import CACHE
from tests.images.worker import worker_images

_NOTE = CACHE / "cluster.json"
_END_SECONDS = 120


def running_cluster() -> Path:
    """The admin's kubeconfig of the run's cluster; builds and starts what is lacking."""
    build()
    images = worker_images()
    run = int(os.environ[RUN_VARIABLE])
    with (CACHE / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _keeper_of(run) is None:
            _NOTE.write_text(json.dumps({"run": run, "keeper": _start_keeper(run, images)}))
    return KUBECONFIG


def _start_keeper(run: int, images: Path) -> int:
    log = CACHE / "cluster.log"
    with log.open("wb") as errors:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.keeper", str(run), str(images)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    assert keeper.stdout is not None
    if keeper.stdout.readline().strip() != "ready":
        raise EngineError(f"no cluster (exit code {keeper.wait()}): {log.read_text()[-3000:]}")
    return keeper.pid


def _keeper_of(run: int) -> int | None:
    """The living keeper that this run has."""
    try:
        note = json.loads(_NOTE.read_text())
        line = Path(f"/proc/{note['keeper']}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return note["keeper"] if note["run"] == run and b"tests.cluster.keeper" in line else None


def end_cluster(run: int) -> None:
    """End the run's cluster, if it has one, and wait for it."""
    tests_lock(run).unlink(missing_ok=True)
    keeper = _keeper_of(run)
    if keeper is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGTERM)
    deadline = time.monotonic() + _END_SECONDS
    while _keeper_of(run) is not None and time.monotonic() < deadline:
        time.sleep(0.1)
