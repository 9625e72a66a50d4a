"""The sample stack (manifests/samples/compose-stack) as a project of its own on an Engine, from the test images."""

import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.docker.engine import ROOT, Engine, EngineError
from tests.images.build import POSTGRES, WEB

SAMPLE = ROOT / "manifests/samples/compose-stack"
SERVICES = ("postgresql", "django-app", "nginx")


@dataclass(frozen=True)
class ComposeStack:
    """A project and its folder, which is a copy that a test may change."""

    engine: Engine
    project: str
    folder: Path
    http_port: int
    https_port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    """Values that beat those of the sample's .env."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def up(self) -> None:
        """All services, healthy."""
        self.compose("up", "--detach", "--build")
        for service in ("postgresql", "django-app"):
            self.engine.wait_healthy(self.container(service))

    def down(self) -> None:
        """With its volumes."""
        self.compose("down", "--volumes", "--timeout=2")

    def seed(self, orders: int = 1000, files: int = 30) -> None:
        """Data in the database and in the media volume; once for a stack, the same for the same numbers."""
        self._run(["./seed.sh", str(orders), str(files)])

    def compose(self, *arguments: str) -> str:
        """Standard output of the compose program, stripped; EngineError with its errors."""
        return self._run([*_compose_program(), *arguments])

    def container(self, service: str) -> str:
        """The full id of the service's container, running or not."""
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
        filters = [f"--filter=label={label}" for label in labels]
        return self.engine.docker("ps", "--all", "--no-trunc", "--quiet", *filters)

    def volume(self, name: str) -> Path:
        """The folder of the volume on this machine."""
        return Path(
            self.engine.docker("volume", "inspect", "--format={{.Mountpoint}}", f"{self.project}_{name}")
        )

    def environment(self) -> dict[str, str]:
        """Beats the sample's .env: the test images, free ports, a name that no other stack has."""
        return {
            **self.engine.environment(),
            "COMPOSE": " ".join(_compose_program()),
            "COMPOSE_PROJECT_NAME": self.project,
            "POSTGRES_IMAGE": POSTGRES,
            "APP_BASE_IMAGE": WEB,
            "NGINX_IMAGE": WEB,
            "HTTP_PORT": str(self.http_port),
            "HTTPS_PORT": str(self.https_port),
            **self.settings,
        }

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise EngineError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()


@contextmanager
def running_stack(
    engine: Engine, folder: Path, project: str | None = None, **settings: str
) -> Iterator[ComposeStack]:
    """Up and healthy, at the end down with its volumes. `folder` is made, with a copy of the sample.

    Without a `project` it gets a name that no other stack of the Engine has. `settings` beat those of the sample's .env.
    """
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("certificates"))
    subprocess.run(["./certificates.sh"], cwd=folder, check=True)
    http_port, https_port = _free_ports()
    name = project or f"shop{secrets.token_hex(4)}"
    stack = ComposeStack(engine, name, folder, http_port, https_port, settings)
    try:
        stack.up()
        yield stack
    finally:
        engine.start()
        stack.down()


def _compose_program() -> list[str]:
    return ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]


def _free_ports() -> tuple[int, int]:
    """Two, fixed for the stack's life: one that the Engine chooses would change at each start."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])
