"""Workers that back up trees: one order after another on one store, in this process."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongroom.api.manifest import Manifest
from strongroom.api.result import WorkResult
from strongroom.worker.run import WorkerPaths, run_worker


@dataclass
class Trees:
    """A folder with a store and a tree to back up."""

    folder: Path
    engine_url: str | None = None

    def __post_init__(self) -> None:
        for folder in (self.store, self.root, self.folder / "secrets"):
            folder.mkdir(exist_ok=True)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def run(
        self, run: str = "first", *, stores: list[Path] | None = None, mounts: Any = None, **backup: Any
    ) -> tuple[int, WorkResult]:
        """Exit code and result. Sources default to the whole tree."""
        return self.carry_out(self._order(run, stores or [self.store], backup), mounts)

    def carry_out(self, order: dict[str, Any], mounts: Any = None, **more: Any) -> tuple[int, WorkResult]:
        """Exit code and result of one worker. `more`: fields of WorkerPaths."""
        (self.folder / "order.json").write_text(json.dumps(order))
        if mounts is not None:
            (self.folder / "mounts.json").write_text(json.dumps(mounts))
        paths = WorkerPaths(
            order=self.folder / "order.json",
            secrets=self.folder / "secrets",
            result=self.folder / "result.json",
            scratch=self.folder / "scratch",
            journal=self.folder / "journal",
            engine_url=self.engine_url,
            mounts=None if mounts is None else self.folder / "mounts.json",
            **more,
        )
        with contextlib.redirect_stdout(io.StringIO()):
            code = run_worker(paths)
        return code, WorkResult.model_validate_json(paths.result.read_bytes())

    def source(self, **fields: Any) -> dict[str, Any]:
        return {"name": "media", "files": {"path": str(self.root), **fields}}

    def manifest(self, result: WorkResult, store: Path | None = None) -> Manifest:
        path = (store or self.store) / str(result.recovery_point) / "manifest.json"
        return Manifest.model_validate_json(path.read_bytes())

    def artifact(self, result: WorkResult, store: Path | None = None, index: int = 0) -> Path:
        return (store or self.store) / str(result.recovery_point) / result.artifacts[index].file

    def _order(self, run: str, stores: list[Path], backup: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": "Backup",
            "namespace": "default",
            "runUid": f"uid-{run}",
            "stores": [{"name": path.name, "spec": {"local": {"path": str(path)}}} for path in stores],
            "deadlineSeconds": 300,
            "backup": {
                "policy": "shop",
                "policyUid": "uid-policy",
                "run": run,
                "reason": "Manual",
                "slot": "2026-01-02T03:04:05Z",
                "sources": [self.source()],
                "compression": {"codec": "zstd"},
                "verification": "Full",
                "minSizePercent": 50,
                "retention": {"keepLast": 1},
                "timeZone": "UTC",
                **backup,
            },
        }


def restore_order(
    trees: Trees, *targets: dict[str, Any], kind: str = "Restore", uid: str = "uid-back", **restore: Any
) -> dict[str, Any]:
    """In place and confirmed, unless the test says something else."""
    return {
        "kind": kind,
        "namespace": "default",
        "runUid": uid,
        "stores": [{"name": "store", "spec": {"local": {"path": str(trees.store)}}}],
        "deadlineSeconds": 300,
        "restore": {
            "request": "back",
            "choice": {"policy": "shop", "run": "first"},
            "mode": "InPlace",
            "targets": list(targets),
            "overwrites": [{"source": target["name"]} for target in targets],
            **restore,
        },
    }


def drop_order(
    trees: Trees, replaced: list[Any], *targets: dict[str, Any], uid: str = "uid-back"
) -> dict[str, Any]:
    """For what a restore of that uid has kept."""
    order = restore_order(trees, kind="DropReplaced", uid=uid)
    del order["restore"]
    kept = [each.to_api() for each in replaced]
    return {
        **order,
        "drop": {"request": "back", "policy": "shop", "targets": list(targets), "replaced": kept},
    }
