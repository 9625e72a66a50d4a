"""Backups taken and restored by worker processes on a real PostgreSQL, each story with a database of its own."""

import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.postgres import Server
from tests.integration.worker.workshop import NAMESPACE, Finished, Workshop

ROWS = 2_000


@dataclass
class Restorable:
    """A shop in a database of its own, backed up, and how it is restored."""

    workshop: Workshop
    server: Server
    name: str
    uid: str = field(default_factory=lambda: f"uid-{secrets.token_hex(4)}")

    def source(self, **changes: Any) -> dict[str, Any]:
        """As the superuser, who may restore."""
        return self.workshop.source(user="postgres", databases=[self.name], **changes)

    def back_up(self, run: str = "first", **backup: Any) -> Finished:
        source = backup.pop("source", None) or self.source()
        return self.workshop.succeed(self.workshop.order(run, source=source, **backup))

    def order(self, kind: str = "Restore", **restore: Any) -> dict[str, Any]:
        """In place and confirmed, unless the test says something else."""
        stores = restore.pop("stores", None) or self.workshop.order()["stores"]
        deadline = restore.pop("deadlineSeconds", 300)
        target = restore.pop("target", None) or self.source()
        choice = {"policy": "shop", **restore.pop("choice", {"run": "first"})}
        in_place = restore.get("mode", "InPlace") == "InPlace"
        return {
            "version": 1,
            "kind": kind,
            "namespace": NAMESPACE,
            "runUid": self.uid,
            "stores": stores,
            "deadlineSeconds": deadline,
            "restore": {
                "request": "back",
                "choice": choice,
                "mode": "InPlace",
                "targets": [{"name": "database", "postgres": target}],
                "overwrites": [{"source": "database", "database": self.name}] if in_place else [],
                **restore,
            },
        }

    def restore(self, **restore: Any) -> Finished:
        return self.workshop.succeed(self.order(**restore))

    def refuse(self, reason: str, *words: str, **restore: Any) -> Finished:
        """It fails for that reason, with those words."""
        finished = self.workshop.run(self.order(**restore))
        assert finished.result.reason == reason, finished.result.message + finished.stderr
        for word in words:
            assert word in finished.result.message, finished.result.message
        return finished

    def state(self) -> tuple[dict[str, str], list[str]]:
        """Content of the database, and names of all that a restore may have left beside it."""
        return self.server.content_hashes(self.name), self.beside()

    def beside(self) -> list[str]:
        """Databases that a restore has made, kept or left."""
        with self.server.connect() as connection:
            query = "SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY 1"
            rows = connection.execute(query, [f"{self.name[:30]}%"]).fetchall()
        return [str(row[0]) for row in rows if row[0] != self.name]

    def damage(self) -> None:
        """Rows deleted, a table dropped, another made."""
        self.server.execute("DELETE FROM shop.order_line WHERE quantity < 5", self.name)
        self.server.execute("DROP TABLE shop.audit", self.name)
        self.server.execute("CREATE TABLE shop.later AS SELECT 1 AS n", self.name)


@contextmanager
def made_up_extension(name: str) -> Iterator[Callable[[], None]]:
    """An extension of that name, until the machine is made to forget it."""
    told = subprocess.run(["pg_config", "--sharedir"], capture_output=True, text=True, check=True).stdout
    stem = Path(told.strip()) / "extension"
    control, script = stem / f"{name}.control", stem / f"{name}--1.0.sql"
    control.write_text("default_version = '1.0'\nrelocatable = true\n")
    script.write_text(f"CREATE TABLE {name}_table (n integer);\n")

    def forget() -> None:
        control.unlink(missing_ok=True)
        script.unlink(missing_ok=True)

    try:
        yield forget
    finally:
        forget()


@contextmanager
def restorable(folder: Path, server: Server, name: str | None = None) -> Iterator[Restorable]:
    """A database that is dropped at the end, with whatever stands beside it."""
    name = name or f"shop_{secrets.token_hex(4)}"
    workshop = Workshop(folder, server, server.password, "postgres")
    server.load_shop(name, ROWS)
    made = Restorable(workshop, server, name)
    try:
        yield made
    finally:
        for each in [*made.beside(), name]:
            server.drop_database(each)
