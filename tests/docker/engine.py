"""A real Docker Engine of a test's own: its own folders, socket, bridge, containerd. Needs root and Debian's docker.io."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.docker.slot import Slot

ROOT = Path(__file__).resolve().parents[2]
# A container without a health check is "none"; one that ended has only its status.
_HEALTH = "{{if not .State.Running}}{{.State.Status}}{{else if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"
_NEEDED = ("dockerd", "containerd", "docker", "ip", "iptables")


class EngineError(Exception):
    """The Engine did not do what it was told; the text holds the end of its log."""


def missing() -> str:
    """Why no Engine can run here, or an empty text."""
    if os.getuid() != 0:
        return "a Docker Engine needs root"
    absent = [program for program in _NEEDED if not shutil.which(program)]
    return f"not installed: {', '.join(absent)} (scripts/setup.sh --tests)" if absent else ""


class Engine:
    """What a test holds. Blocking; use asyncio.to_thread in a coroutine, from any thread.

    The process behind it (keeper.py) ends and removes everything once this object is closed or this process is gone.
    """

    def __init__(self, images: "Path | str | None" = None) -> None:
        """`images`: a prepared data root, see images.py; without one the Engine has no images."""
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.docker.keeper", str(images or "-")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        number = self._output.readline().strip()
        if not number:
            raise EngineError(f"no Engine could be prepared (exit code {self._keeper.wait()})")
        self._slot = Slot(int(number))

    @property
    def number(self) -> int:
        """Of its slot, distinct among the Engines that run now."""
        return self._slot.number

    @property
    def socket(self) -> Path:
        return self._slot.socket

    @property
    def url(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def data_root(self) -> Path:
        return self._slot.data / "docker"

    @property
    def gateway(self) -> str:
        """The machine's address as containers on the default bridge see it."""
        return self._slot.gateway

    @property
    def log(self) -> str:
        """What dockerd has written so far."""
        return (self._slot.run / "dockerd.log").read_text(errors="replace")

    def start(self) -> None:
        """Returns when the Engine answers. A second start does nothing."""
        self._tell("start")

    def stop(self) -> None:
        """Containers are stopped, dockerd ends; volumes, images and stopped containers stay for the next start."""
        self._tell("stop")

    def kill(self) -> None:
        """SIGKILL to dockerd. Its containers run on until the next start, which stops them.

        Engine 20.10 takes that for a stop by hand: it starts containers of policy `always` again, not `unless-stopped`.
        """
        self._tell("kill")

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Everything ends and is removed. The object is of no more use."""
        self._input.close()
        self._keeper.wait(120)
        self._output.close()

    def environment(self) -> dict[str, str]:
        """For the docker and docker-compose programs; no settings of the caller's reach them."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        folder = str(self._slot.run / "client")
        # BuildKit is a plugin that Debian's client does not have.
        builder = {"DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
        return {**kept, **builder, "DOCKER_HOST": self.url, "DOCKER_CONFIG": folder, "HOME": folder}

    def docker(self, *arguments: "str | Path", stdin: bytes = b"", timeout_seconds: float = 120) -> str:
        """Standard output of the docker program against this Engine, stripped. Raises EngineError with its errors."""
        command = ["docker", *map(str, arguments)]
        done = subprocess.run(
            command,
            env=self.environment(),
            input=stdin,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
        if done.returncode:
            raise EngineError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="replace").strip()

    def load(self, archive: Path) -> None:
        """Images from the archive that `docker save` wrote."""
        self.docker("load", "--quiet", "--input", archive)

    def wait_healthy(self, container: str, timeout_seconds: float = 60) -> None:
        """Until the container's health check passes; EngineError with its log if it ends or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        state = ""
        while state != "healthy":
            if time.monotonic() > deadline or state in {"exited", "dead", "none"}:
                raise EngineError(f"{container} is {state}: {self.logs(container)}")
            time.sleep(0.1)
            state = self.docker("inspect", "--format", _HEALTH, container)

    def logs(self, container: str) -> str:
        """The last lines of both its outputs."""
        command = ["docker", "logs", "--tail=40", container]
        done = subprocess.run(
            command,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=True,
        )
        return done.stdout.decode(errors="replace")

    def remove_containers(self) -> None:
        """All containers, volumes and networks that tests made; images stay."""
        for container in self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", container)
        for volume in self.docker("volume", "ls", "--quiet").split():
            self.docker("volume", "rm", volume)
        self.docker("network", "prune", "--force")

    def _tell(self, command: str) -> None:
        self._input.write(f"{command}\n")
        self._input.flush()
        answer = self._output.readline().strip()
        if answer != "ok":
            raise EngineError(f"{command}: {answer or 'the keeper is gone'}")

    @property
    def _input(self) -> IO[str]:
        assert self._keeper.stdin is not None
        return self._keeper.stdin

    @property
    def _output(self) -> IO[str]:
        assert self._keeper.stdout is not None
        return self._keeper.stdout


@contextmanager
def running_engine(images: "Path | None" = None) -> Iterator[Engine]:
    """Started, and at the end ended and removed with all that ran on it."""
    engine = Engine(images)
    try:
        engine.start()
        yield engine
    finally:
        engine.close()
