"""The process that owns one Engine: `python -m tests.docker.keeper IMAGES` takes commands on standard input.

It prints its slot's number, then answers each of `start`, `stop`, `kill` with one line: `ok`, or an error.
At the end of input it ends and removes everything of its slot, so that also a killed test process leaves nothing behind.
IMAGES is the folder of a prepared data root to begin with, or `-` for an empty Engine.
"""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.docker import daemons, removal
from tests.docker.slot import RUN, SLOTS, Slot

_STOP_SECONDS = 60


class Keeper:
    """The daemons of one slot. containerd stays while dockerd stops, as it does on a Debian host."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._containerd = daemons.start_containerd(slot)
        self._dockerd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._dockerd is None:
            self._dockerd = daemons.start_dockerd(self._slot)

    def stop(self) -> None:
        """As a host that shuts down: dockerd stops its containers first."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As the kernel would: containers stay until the next start finds them."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._dockerd is not None:
            self._dockerd.send_signal(number)
            self._dockerd.wait(_STOP_SECONDS)
            self._dockerd = None


def take_slot() -> tuple[Slot, int]:
    """The first that no living keeper holds, and its locked descriptor, which this process keeps open."""
    RUN.mkdir(mode=0o711, exist_ok=True)
    for slot in map(Slot, range(SLOTS)):
        descriptor = os.open(slot.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return slot, descriptor
    raise SystemExit(f"all {SLOTS} slots for Engines are taken")


def clone(images: Path, slot: Slot) -> None:
    """Layers by hard links, for the Engine never writes into one; its small databases, which it does write, by copy."""
    target = slot.data / "docker"
    target.mkdir(parents=True)
    for entry in images.iterdir():
        how = "-al" if entry.name in {"overlay2", "vfs"} else "-a"
        subprocess.run(["cp", how, str(entry), str(target)], check=True)


def serve(keeper: Keeper) -> None:
    commands: dict[str, Callable[[], None]] = {
        "start": keeper.start,
        "stop": keeper.stop,
        "kill": keeper.kill,
    }
    for line in sys.stdin:
        try:
            commands[line.strip()]()
            answer = "ok"
        except (daemons.NotStartedError, subprocess.TimeoutExpired) as error:
            answer = " ".join(str(error).split())
        print(answer, flush=True)


def main(images: str) -> None:
    # Ctrl-C and a runner's SIGTERM reach the whole group; the end of input is the only end here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    slot, _lock = take_slot()
    removal.remove(slot)
    try:
        slot.run.mkdir(mode=0o711)
        if images != "-":
            clone(Path(images), slot)
        slot.data.mkdir(parents=True, exist_ok=True)
        daemons.prepare_network(slot)
        keeper = Keeper(slot)
        print(slot.number, flush=True)
        serve(keeper)
    except BrokenPipeError:
        pass
    finally:
        removal.remove(slot)


if __name__ == "__main__":
    main(sys.argv[1])
