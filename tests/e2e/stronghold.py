"""`strongroom up` as a child process, and the real kubectl against it: what the stories are told with."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tests.e2e.kubectl import Plane, condition, eventually

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Stronghold(Plane):
    """One `strongroom up` with its state folder and its log."""

    state: Path
    tick_seconds: float = 1.0
    options: tuple[str, ...] = ("--engine", "unix:///nonexistent/docker.sock")
    """More words for `strongroom up`. A machine's own Engine is none of the tests' business."""
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def home(self) -> Path:
        return self.state

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def log(self) -> str:
        return (self.state / "up.log").read_text(errors="replace")

    @property
    def metrics_port(self) -> int:
        return int((self.state / "metrics.port").read_text())

    def start(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "strongroom",
            "up",
            "--state",
            str(self.state),
            "--metrics-port",
            "0",
            f"--allow-store={tempfile.gettempdir()}",
            *self.options,
        ]
        with (self.state / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--tick-seconds", str(self.tick_seconds)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually("dockerhost local is Ready", self._is_ready, 60)

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        if not self.kubeconfig.exists():
            return False
        host = self.try_get("dockerhost", "local")
        return condition(host or {}, "Ready").get("status") == "True"

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def end(self) -> None:
        """Whatever state it is in: no process of this stronghold is left."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        for process in self.processes("--state", str(self.state)) + self.processes(str(self.state / "agent")):
            process.kill()

    def processes(self, *words: str) -> list[psutil.Process]:
        """Live processes whose command line holds all the words and this state folder."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            line = _command_line(folder)
            if (
                any(str(self.state) in part for part in line)
                and folder.name != str(os.getpid())
                and all(any(word in part for part in line) for word in words)
            ):
                with contextlib.suppress(psutil.Error):
                    found.append(psutil.Process(int(folder.name)))
        return found

    def part(self, name: str) -> list[psutil.Process]:
        """The processes of one part: apiserver, operator, agent or worker."""
        return [p for p in self.processes() if _subcommand(p) == name]


def _command_line(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def _subcommand(process: psutil.Process) -> str | None:
    try:
        line = process.cmdline()
    except psutil.Error:
        return None
    return line[3] if line[1:3] == ["-m", "strongroom"] and len(line) > 3 else None


@contextmanager
def stronghold(state: Path, tick_seconds: float = 1.0, **more: Any) -> Iterator[Stronghold]:
    """A running `strongroom up`, ended at the end."""
    started = Stronghold(state, tick_seconds, **more)
    try:
        started.start()
        yield started
    finally:
        started.end()


def store(path: Path, name: str = "disk") -> dict[str, Any]:
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "BackupStore",
        "metadata": {"name": name},
        "spec": {"local": {"path": str(path)}},
    }


def policy(name: str, postgres: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A policy of one PostgreSQL source on the host `local`, by default not due for long."""
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "BackupPolicy",
        "metadata": {"name": name},
        "spec": {
            "schedule": "0 2 * * *",
            "host": "local",
            "sources": [{"name": "database", "postgres": postgres}],
            "stores": ["disk"],
            "backoffLimit": 0,
            **spec,
        },
    }


def run(name: str, policy_name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "BackupRun",
        "metadata": {"name": name},
        "spec": {"policy": policy_name, **spec},
    }


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
