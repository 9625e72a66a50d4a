"""The process that owns the cluster: `python -m tests.cluster.keeper PID IMAGES`.

Waits for its turn, starts the machine's default Docker Engine if none runs, and the cluster on it; prints `ready`. At SIGTERM,
when the process PID has gone, or when none of the run's tests has been at work for a minute, it ends what it started.
IMAGES is a prepared data root, see tests/images.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from tests.cluster.place import BUILT, LOCK, NODE, STATE, find_scripts, tests_lock
from tests.docker import daemons, removal
from tests.docker.keeper import clone
from tests.docker.slot import CACHE, RUN, Slot

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_SERVICES = "10.77.0.0/24"
_QUIET_SECONDS = 60
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class DefaultSlot(Slot):
    """The place of the machine's default Engine, where kubelet looks for it; its data and the rest are our own."""

    number: int = -1

    @property
    def name(self) -> str:
        return "strongroom-cluster"

    @property
    def run(self) -> Path:
        return RUN / "cluster"

    @property
    def socket(self) -> Path:
        return Path("/var/run/docker.sock")

    @property
    def data(self) -> Path:
        return CACHE / "engines" / "cluster"

    @property
    def bridge(self) -> str:
        # Not docker0: an Engine with address pools of its own, as other tests have, removes that one when it starts again.
        return "srcluster"

    @property
    def network(self) -> IPv4Network:
        return IPv4Network(f"{NODE}/16", strict=False)


SLOT = DefaultSlot()


def machine_has_an_engine() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def run_script(word: str) -> None:
    """One of cluster.sh's commands. kube-proxy is on: Services have addresses and names in pods."""
    environment = {**os.environ, "R": str(BUILT), "C": str(STATE), "PROXY": "1"}
    environment.pop("DOCKER_HOST", None)
    scripts = find_scripts()
    assert scripts is not None
    done = subprocess.run(
        ["bash", str(scripts / "cluster.sh"), word],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise daemons.NotStartedError(f"cluster.sh {word}: {done.stdout[-2000:]}")


def forget_state() -> None:
    """What the last cluster held. Its keys stay: they are good for a month, and take seconds to make."""
    if any(str(STATE) in line for line in Path("/proc/self/mountinfo").read_text().splitlines()):
        raise daemons.NotStartedError(f"something is still mounted below {STATE}")
    is_old = (STATE / "pki").exists() and time.time() - (STATE / "pki").stat().st_mtime > 20 * 86_400
    for name in ("etcd", "kubelet", "dockershim", "volumes", *(["pki"] if is_old else [])):
        shutil.rmtree(STATE / name, ignore_errors=True)


def start(images: Path, until: ExitStack) -> None:
    """Engine and cluster, each with its end on the stack."""
    if not machine_has_an_engine():
        until.callback(_FORWARDING.write_text, _FORWARDING.read_text())
        until.callback(removal.remove, SLOT)
        _start_engine(images)
    forget_state()
    until.callback(forget_state)
    until.callback(run_script, "stop")
    run_script("start")


def _start_engine(images: Path) -> None:
    removal.remove(SLOT)
    SLOT.run.mkdir(mode=0o711, parents=True)
    clone(images, SLOT)
    # kube-proxy leads from one container to another by way of the machine itself.
    _FORWARDING.write_text("1")
    daemons.prepare_network(SLOT)
    # cluster.sh gives this route to docker0: addresses of Services never leave the machine.
    subprocess.run(["ip", "route", "replace", _SERVICES, "dev", SLOT.bridge], check=True, capture_output=True)
    daemons.start_containerd(SLOT)
    daemons.start_dockerd(SLOT)


def _open_lock(path: Path) -> int:
    """Its descriptor, which this process never closes."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def is_quiet(tests: int) -> bool:
    """Whether no test is at work. Then the lock is ours: one that begins meanwhile waits, and starts a new cluster."""
    try:
        fcntl.flock(tests, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(run: int, images: str) -> None:
    # Ctrl-C reaches the whole group; SIGTERM is the end here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    RUN.mkdir(mode=0o711, exist_ok=True)
    fcntl.flock(_open_lock(LOCK), fcntl.LOCK_EX)
    with ExitStack() as until:
        start(Path(images), until)
        print("ready", flush=True)
        # Open until the very end: who then waits for it finds no keeper any more.
        tests = _open_lock(tests_lock(run))
        quiet_since = time.monotonic()
        while not told and Path(f"/proc/{run}").exists():
            time.sleep(_POLL_SECONDS)
            if not is_quiet(tests):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > _QUIET_SECONDS:
                break
            else:
                fcntl.flock(tests, fcntl.LOCK_UN)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
