"""One worker process after another on one store, with the real program and a real PostgreSQL."""

import atexit
import contextlib
import functools
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.postgres import Server
from tests.integration.worker.nursery import ForkedWorker, Nursery

from strongroom.api.manifest import Manifest
from strongroom.api.result import WorkResult
from strongroom.sources.postgres.clients import FOLDERS
from strongroom.worker.run import WorkerPaths, run_worker

NAMESPACE = "default"


@functools.cache
def _nursery() -> Nursery:
    """One for each process of tests. It ends when that does."""
    started = Nursery()
    atexit.register(started.close)
    return started


@dataclass
class Finished:
    """What a worker left: its exit code, result and words."""

    code: int
    result: WorkResult
    stdout: str
    stderr: str

    @property
    def artifact(self) -> Any:
        """The first artifact."""
        return self.result.artifacts[0]


@dataclass
class Workshop:
    """A folder with a store, secrets and scratch space; orders differ only in what a test says."""

    folder: Path
    server: Server
    password: str
    user: str
    client_folders: Sequence[str] = FOLDERS
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    journal: Path | None = None

    def __post_init__(self) -> None:
        self.store.mkdir(exist_ok=True)
        self.write_secret("shop-db", "password", self.password)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    def write_secret(self, name: str, key: str, value: str) -> None:
        path = self.folder / "secrets" / name / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value)

    def source(self, **changes: Any) -> dict[str, Any]:
        postgres = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": self.user,
            "passwordSecret": {"name": "shop-db", "key": "password"},
            "databases": ["shop"],
            **changes,
        }
        return {name: value for name, value in postgres.items() if value is not None}

    def order(
        self, run: str = "first", *, source: dict[str, Any] | None = None, **backup: Any
    ) -> dict[str, Any]:
        stores = backup.pop("stores", [{"name": "disk", "spec": {"local": {"path": str(self.store)}}}])
        deadline = backup.pop("deadlineSeconds", 300)
        return {
            "version": 1,
            "kind": "Backup",
            "namespace": NAMESPACE,
            "runUid": f"uid-{run}",
            "stores": stores,
            "deadlineSeconds": deadline,
            "backup": {
                "policy": "shop",
                "policyUid": "uid-policy",
                "run": run,
                "reason": "Manual",
                "slot": "2026-01-02T03:04:05Z",
                "sources": [{"name": "database", "postgres": source or self.source()}],
                "compression": {"codec": "zstd"},
                "verification": "Full",
                "minSizePercent": 50,
                "retention": {},
                "timeZone": "UTC",
                **backup,
            },
        }

    def start(self, order: dict[str, Any], *, roll_back: bool = False) -> ForkedWorker:
        (self.folder / "order.json").write_text(json.dumps(order))
        self.result.unlink(missing_ok=True)
        paths = [self.folder / "order.json", self.folder / "secrets", self.result, self.folder / "scratch"]
        words = [*map(str, paths), str(self.journal or ""), "1" * roll_back, *self.client_folders]
        return _nursery().start(words, self.environment)

    def finish(self, process: ForkedWorker) -> Finished:
        stdout, stderr = process.communicate(timeout=120)
        assert self.result.exists(), stderr
        result = WorkResult.model_validate_json(self.result.read_bytes())
        return Finished(process.returncode, result, stdout, stderr)

    def run_here(self, order: dict[str, Any]) -> Finished:
        """The same in this process: for stories of many runs."""
        (self.folder / "order.json").write_text(json.dumps(order))
        paths = WorkerPaths(
            self.folder / "order.json", self.folder / "secrets", self.result, self.folder / "scratch"
        )
        with contextlib.redirect_stdout(io.StringIO()) as stdout:
            code = run_worker(paths)
        result = WorkResult.model_validate_json(self.result.read_bytes())
        return Finished(code, result, stdout.getvalue(), "")

    def run(self, order: dict[str, Any] | None = None) -> Finished:
        return self.finish(self.start(order or self.order()))

    def succeed(self, order: dict[str, Any] | None = None) -> Finished:
        finished = self.run(order)
        assert (finished.code, finished.result.reason) == (0, "Succeeded"), (
            finished.result.message + finished.stderr
        )
        return finished

    def files(self) -> list[str]:
        """Every file in the store, hidden ones too."""
        return sorted(str(p.relative_to(self.store)) for p in self.store.rglob("*") if p.is_file())

    def manifests(self) -> list[Manifest]:
        return [
            Manifest.model_validate_json(p.read_bytes()) for p in sorted(self.store.rglob("manifest.json"))
        ]

    def manifest(self, finished: Finished) -> Manifest:
        path = self.store / str(finished.result.recovery_point) / "manifest.json"
        return Manifest.model_validate_json(path.read_bytes())

    def artifact_path(self, finished: Finished, index: int = 0) -> Path:
        return self.store / str(finished.result.recovery_point) / finished.result.artifacts[index].file
