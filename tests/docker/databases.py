"""PostgreSQL containers on a test's Engine, as the official image makes them, and what a test asks of them."""

import subprocess
import time
from dataclasses import dataclass

from tests.docker.engine import Engine
from tests.images.build import POSTGRES

from strongroom.engine.connecting import connect_engine
from strongroom.engine.containers import Container, list_containers

USER, DATABASE = "shop_admin", "shop"
_ORDERS = "CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, {rows}) AS g"


@dataclass(frozen=True)
class DatabaseContainer:
    """One that runs. Its server is process 1, and takes the death of any child for a crash."""

    engine: Engine
    name: str

    def sql(self, statement: str, database: str = DATABASE, user: str = USER) -> str:
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, "-c", statement]
        return self.engine.docker("exec", self.name, *command)

    def fill(self, rows: int = 2000) -> None:
        self.sql(_ORDERS.format(rows=rows))

    def programs(self) -> list[str]:
        """Command lines of all that runs inside beside the server and its health check."""
        lines = self.engine.docker("top", self.name, "-eo", "pid,args").splitlines()[1:]
        found = [" ".join(line.split()[1:]) for line in lines]
        return [line for line in found if not line.startswith("postgres") and "pg_isready" not in line]

    def await_programs(self, present: bool, word: str = "") -> list[str]:
        """Wait until some program with the word in its command line runs inside, or none does any more."""
        deadline = time.monotonic() + 60
        while True:
            found = [line for line in self.programs() if word in line]
            if bool(found) == present or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def has_crashed(self) -> bool:
        """Whether the server has thrown its sessions out because it believed that one of them died."""
        return "reinitializing" in self.log()

    def log(self) -> str:
        command = f"docker logs {self.name} 2>&1"
        return subprocess.run(
            ["sh", "-c", command],
            env=self.engine.environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    @property
    def container(self) -> Container:
        engine = connect_engine(self.engine.url)
        return next(each for each in list_containers(engine) if each.name == self.name)


def start_database(
    engine: Engine, name: str, *options: str, image: str = POSTGRES, rows: int = 2000
) -> DatabaseContainer:
    """A server with one table. `options` are those of `docker run`. Names are unique in a test file."""
    environment = ["-e", f"POSTGRES_USER={USER}", "-e", f"POSTGRES_DB={DATABASE}"]
    secret = ["-e", "POSTGRES_PASSWORD=initial"]
    run = ["run", "--detach", "--network", "none", "--name", name]
    engine.docker(*run, *environment, *secret, *options, image)
    database = DatabaseContainer(engine, name)
    _await_ready(database)
    if rows:
        database.fill(rows)
    return database


def _await_ready(database: DatabaseContainer) -> None:
    """Over TCP: the server that the entry point fills listens on its socket alone, and ends again."""
    command = "until pg_isready -q -h 127.0.0.1; do sleep 0.1; done"
    database.engine.docker("exec", database.name, "sh", "-c", command, timeout_seconds=120)
