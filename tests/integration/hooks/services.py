"""Services on a real Engine, and the worker's side of hooks around a reading that is the test's own."""

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.docker.engine import Engine
from tests.images.build import BASE

from strongroom.api.hooks import Hooks
from strongroom.api.labels import COMPOSE_DEPENDS_ON_LABEL, COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import connect_engine
from strongroom.engine.journal import Journal
from strongroom.engine.undoing import Debts, undo_all
from strongroom.worker.ending import Ending
from strongroom.worker.hooking import hooked
from strongroom.worker.progress import ProgressLines
from strongroom.worker.secretfiles import SecretFiles
from strongroom.worker.task import Task

RUN_UID = "run-4711"


@dataclass
class Services:
    """Containers on one Engine, and one Job's journal. `log` is a folder that all of them see as /log."""

    engine: Engine
    folder: Path
    ending: Ending = field(default_factory=Ending)

    @property
    def log(self) -> Path:
        path = self.folder / "log"
        path.mkdir(exist_ok=True)
        return path

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "journal")

    def run(self, name: str, *options: str, command: tuple[str, ...] = ("sleep", "infinity")) -> str:
        """A container that ends at once when it is stopped; its id."""
        given = ["--detach", "--stop-signal=KILL", f"--volume={self.log}:/log", *options]
        return self.engine.docker("run", *given, "--name", name, BASE, *command)

    def compose(
        self,
        service: str,
        *options: str,
        needs: str = "",
        command: tuple[str, ...] = ("sleep", "infinity"),
    ) -> str:
        """A container as compose v2 would label it."""
        labels = {
            COMPOSE_PROJECT_LABEL: "shop",
            COMPOSE_SERVICE_LABEL: service,
            COMPOSE_DEPENDS_ON_LABEL: needs,
        }
        given = [f"--label={key}={value}" for key, value in labels.items()]
        return self.run(f"shop-{service}", *given, *options, command=command)

    def states(self) -> dict[str, str]:
        lines = self.engine.docker("ps", "--all", "--format", "{{.Names}} {{.State}}").splitlines()
        return dict(sorted(line.split() for line in lines))

    def started_at(self, name: str) -> str:
        return self.engine.docker("inspect", "--format", "{{.State.StartedAt}}", name)

    def happened(self, since: datetime, *actions: str) -> list[str]:
        """What the Engine did since then, such as `start shop-db`, in its order."""
        filters = [f"--filter=event={action}" for action in actions]
        span = [f"--since={since.timestamp()}", f"--until={datetime.now(UTC).timestamp()}"]
        text = self.engine.docker(
            "events", *span, *filters, "--format", "{{.Action}} {{.Actor.Attributes.name}}"
        )
        return text.splitlines()

    def said(self) -> list[str]:
        """What commands have written to /log/said."""
        path = self.log / "said"
        return path.read_text().split() if path.exists() else []

    def task(self, hooks: Hooks) -> Task:
        return Task(
            order=work_order(hooks.to_api()),
            secrets=SecretFiles(self.folder / "secrets"),
            scratch=self.folder,
            progress=ProgressLines(io.StringIO()),
            client_folders=(),
            started_at=datetime.now(UTC),
            ending=self.ending,
            engine=lambda: connect_engine(self.engine.url),
            journal=self.folder / "journal",
        )

    @contextmanager
    def hooked(self, source: str | None = None, **hooks: Any) -> Iterator[None]:
        """The reading is what the test does inside."""
        parsed = Hooks.model_validate({"stopTimeout": "1s", **hooks})
        with hooked(self.task(parsed), parsed, source):
            yield

    def undo(
        self, containers: frozenset[str] | None = None, settle_seconds: float = math.inf, **hooks: Any
    ) -> None:
        """What an agent does after a worker that was killed."""
        owed = {None: Hooks.model_validate(hooks)}
        debts = Debts(owed, f"strongroom-{RUN_UID}", containers, settle_seconds)
        undo_all(connect_engine(self.engine.url), self.journal, debts)

    def clear(self) -> None:
        for container in self.engine.docker("ps", "--all", "--quiet").split():
            self.engine.docker("rm", "--force", "--volumes", container)


def say(word: str, service: str = "db", **more: Any) -> dict[str, Any]:
    """A hook command that leaves a word."""
    return command(["sh", "-c", f"echo {word} >> /log/said"], service, **more)


def command(argv: list[str], service: str = "db", **more: Any) -> dict[str, Any]:
    return {"container": of(service), "command": argv, **more}


def of(service: str) -> dict[str, str]:
    return {"project": "shop", "service": service}


def work_order(hooks: Mapping[str, Any]) -> WorkOrder:
    """An order of which hooks are all that matters."""
    return WorkOrder.model_validate(
        {
            "kind": "Backup",
            "namespace": "default",
            "runUid": RUN_UID,
            "deadlineSeconds": 300,
            "stores": [{"name": "local", "spec": {"local": {"path": "/nowhere"}}}],
            "backup": {
                "policy": "shop",
                "policyUid": "p",
                "run": "run-1",
                "reason": "Manual",
                "slot": "2026-11-22T02:00:00Z",
                "sources": [{"name": "media", "files": {"volume": "media"}}],
                "hooks": dict(hooks),
                "compression": {},
                "verification": "Full",
                "minSizePercent": 0,
                "retention": {"keepLast": 3},
                "timeZone": "UTC",
            },
        }
    )
