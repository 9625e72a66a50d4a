"""What artifacts hold, opened by stock tools, beside what they were made from; and a table that keeps a dump waiting."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docker.engine import Engine, EngineError
from tests.e2e.stronghold import eventually
from tests.integration.files.trees import describe_tree, extract

_WAITING = (
    """SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%'"""
)
_HOLDERS = "FROM pg_stat_activity WHERE application_name = 'holder'"


@dataclass(frozen=True)
class Database:
    """One in a container, asked by the container's own programs."""

    engine: Engine
    container: str
    user: str = "shop"
    name: str = "shop"

    def run(self, program: str, *arguments: str, stdin: bytes = b"") -> str:
        return self.engine.docker(
            "exec", "--interactive", self.container, program, "-U", self.user, *arguments, stdin=stdin
        )

    def sql(self, statement: str) -> str:
        return self.run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.name, "-c", statement)

    def content(self) -> list[str]:
        """Its definitions and rows as SQL. Newer pg_dumps write a random word into `\\restrict`."""
        lines = self.run("pg_dump", self.name).splitlines()
        return [line for line in lines if not line.startswith(("--", "\\restrict", "\\unrestrict"))]

    def restored(self, dump: Path) -> list[str]:
        """The content of a new database beside this one, made from the artifact by zstd and pg_restore."""
        plain = subprocess.run(["zstd", "-dc", str(dump)], capture_output=True, check=True).stdout
        copy = Database(self.engine, self.container, self.user, "restored")
        self.run("createdb", copy.name)
        try:
            self.run("pg_restore", "-d", copy.name, "--exit-on-error", stdin=plain)
            return copy.content()
        finally:
            self.run("dropdb", copy.name)

    @contextmanager
    def held(self, table: str) -> Iterator[None]:
        """Whoever dumps meanwhile waits at this table, and so stands in the middle of its dump."""
        statement = f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
        psql = ["psql", "-XqAt", "-U", self.user, "-d", self.name, "-c", statement]
        command = ["docker", "exec", "--env=PGAPPNAME=holder", self.container, *psql]
        holder = subprocess.Popen(
            command, env=self.engine.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            eventually(
                "the table is held",
                lambda: self.sql(f"SELECT count(*) {_HOLDERS} AND wait_event = 'PgSleep'") == "1",
            )
            yield
        finally:
            self._let_go(holder)

    def _let_go(self, holder: "subprocess.Popen[bytes]") -> None:
        try:
            self.sql(f"SELECT pg_terminate_backend(pid) {_HOLDERS}")
        except EngineError:
            holder.kill()  # container or Engine went away meanwhile, and the lock with it
        holder.wait(30)

    def await_dump(self) -> None:
        """Until somebody waits at a held table."""
        eventually("a dump waits at the table", lambda: self.sql(_WAITING) != "0")


def find_artifact(store: Path, run: dict, pattern: str) -> Path:
    """The one file of the run's recovery point with such a name."""
    (found,) = (store / run["status"]["recoveryPoint"]).glob(pattern)
    return found


def unpacked(archive: Path, folder: Path) -> Path:
    """Where zstd and tar have put what is in the artifact."""
    folder.mkdir(exist_ok=True)
    plain = folder / archive.name.removesuffix(".zst")
    subprocess.run(["zstd", "-q", "-d", str(archive), "-o", str(plain)], check=True)
    target = folder / plain.stem
    extract(plain, target)
    return target


def assert_same_tree(original: Path, copy: Path) -> int:
    """All of both: names, contents, owners, modes, times, links, attributes. How many entries there are."""
    wanted, found = describe_tree(original), describe_tree(copy)
    assert found.keys() == wanted.keys()
    assert [name for name, facts in wanted.items() if found[name] != facts] == []
    return len(wanted)
