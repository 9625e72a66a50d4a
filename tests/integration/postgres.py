"""A private, real PostgreSQL on loopback for tests, and what they ask of it."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "manifests/samples/shop.sql"
PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
_COUNTS = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1
"""
TRAP = """
CREATE SCHEMA trap;
CREATE TABLE trap.fallen (word text);
CREATE FUNCTION trap.current_setting(text) RETURNS text LANGUAGE sql AS
  $$INSERT INTO trap.fallen VALUES ($1); SELECT pg_catalog.current_setting($1)$$;
GRANT USAGE ON SCHEMA trap TO PUBLIC; GRANT INSERT, SELECT ON trap.fallen TO PUBLIC;
"""
"""A function that notes who falls for it, where a search path leads there first."""


@dataclass(frozen=True)
class Server:
    """A running server and its superuser."""

    port: int
    password: str
    folder: Path

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def execute(self, statement: str, database: str = "postgres") -> None:
        with self.connect(database) as connection:
            connection.execute(statement)  # type: ignore[arg-type]  # tests write their own SQL

    def create_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def environment(self, database: str) -> dict[str, str]:
        """libpq's environment for stock tools."""
        return {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
        }

    def load_shop(self, database: str, rows: int) -> None:
        """Make the database and fill it with the sample shop; equal for equal `rows`."""
        self.create_database(database)
        command = ["psql", "--quiet", "--no-psqlrc", "--set", f"rows={rows}", "--file", str(SHOP)]
        subprocess.run(command, env=self.environment(database), stdout=subprocess.DEVNULL, check=True)

    def create_backup_role(self, name: str, password: str) -> None:
        """pg_read_all_data reads all tables; large objects want their owner, the shop's."""
        with self.connect() as connection:
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE pg_read_all_data, shop_owner")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(password)))

    def row_counts(self, database: str) -> dict[str, int]:
        """Rows of every table that holds rows itself, by its quoted qualified name."""
        with self.connect(database) as connection:
            tables = [str(row[0]) for row in connection.execute(_COUNTS)]
            return {table: _number(connection, f"SELECT count(*) FROM {table}") for table in tables}

    def content_hashes(self, database: str) -> dict[str, str]:
        """An order-free hash of every table's rows, and one of all large objects."""
        with self.connect(database) as connection:
            tables = [str(row[0]) for row in connection.execute(_COUNTS)]
            hashes = {
                table: _text(
                    connection,
                    f"SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\"), '')) FROM {table} t",
                )
                for table in tables
            }
            hashes["large objects"] = _text(
                connection,
                "SELECT md5(coalesce(string_agg(md5(lo_get(oid)), '' ORDER BY oid), '')) FROM pg_largeobject_metadata",
            )
            return hashes


def _number(connection: "psycopg.Connection[tuple[object, ...]]", query: str) -> int:
    row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(str(row[0]))


def _text(connection: "psycopg.Connection[tuple[object, ...]]", query: str) -> str:
    row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return str(row[0])


@contextmanager
def running_server(options: str = "") -> Iterator[Server]:
    """A fresh cluster, started and at the end stopped and removed. As root it runs as user postgres, as initdb demands."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-postgres-"))
    folder.chmod(0o755)
    server = Server(_free_port(), secrets.token_hex(16), folder)
    try:
        passwords = folder / "initial"
        passwords.touch(0o600)
        passwords.write_text(server.password)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
            shutil.chown(passwords, "postgres")
        _run(
            "initdb",
            "--pgdata",
            folder / "data",
            "--username",
            "postgres",
            "--pwfile",
            passwords,
            "--auth",
            "scram-sha-256",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-sync",
        )
        settings = f"-c listen_addresses=127.0.0.1 -c port={server.port} -c unix_socket_directories={folder} -c fsync=off -c max_connections=60 {options}"
        _run(
            "pg_ctl",
            "--pgdata",
            folder / "data",
            "--wait",
            "--log",
            folder / "log",
            "--options",
            settings,
            "start",
        )
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            _run("pg_ctl", "--pgdata", folder / "data", "--mode", "immediate", "--wait", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *arguments: "str | Path") -> None:
    command: list[str | Path] = [PROGRAMS / program, *arguments]
    if os.getuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=120)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
