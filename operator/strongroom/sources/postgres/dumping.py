"""One stream out of a server: a database by pg_dump, or the roles and tablespaces by pg_dumpall."""

import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.fields import parse_duration
from strongroom.api.sources import PostgresSource
from strongroom.sources.postgres.clients import Client
from strongroom.sources.postgres.connection import Connection
from strongroom.sources.postgres.failures import field_of
from strongroom.sources.processes import Child

_PATTERN_OPTIONS = (
    ("include_schemas", "--schema"),
    ("exclude_schemas", "--exclude-schema"),
    ("include_tables", "--table"),
    ("exclude_tables", "--exclude-table"),
    ("exclude_table_data", "--exclude-table-data"),
)
# Our environment makes pg_dump speak English; the server's own words may be in another language.
_REFUSALS = (
    (re.compile(r"server version mismatch"), Reason.ClientTooOld),
    (re.compile(r"row-level security|row security"), Reason.RowSecurity),
    (re.compile(r"lock timeout"), Reason.LockTimeout),
    (re.compile(r"permission denied"), Reason.PermissionDenied),
    (re.compile(r"no matching (schemas|tables|extensions) were found"), Reason.InvalidSpec),
    (re.compile(r"connection to server .* failed"), Reason.SourceUnreachable),
    (
        re.compile(
            r"terminating connection|server closed the connection|connection not open|SSL SYSCALL|connection to server was lost|no connection to the server"
        ),
        Reason.DumpIncomplete,
    ),
)


def dump_options(postgres: PostgresSource) -> list[str]:
    """pg_dump's options for this source, without connection; patterns cannot pass for options."""
    patterns = [
        f"{option}={pattern}" for field, option in _PATTERN_OPTIONS for pattern in getattr(postgres, field)
    ]
    timeout = int(parse_duration(postgres.lock_timeout).total_seconds() * 1000)
    return ["--format=custom", "--compress=0", f"--lock-wait-timeout={timeout}", "--strict-names", *patterns]


def globals_options(*, passwords: bool) -> list[str]:
    """pg_dumpall's options for roles and tablespaces."""
    return ["--globals-only", *([] if passwords else ["--no-role-passwords"])]


class Dump:
    """The plain stream of one artifact. Only `finish` says whether it is complete: read to the end, then ask it.

    As a context manager it ends the program on leaving.
    """

    def __init__(
        self, connection: Connection, database: str, argv: list[str | Path], lock_seconds: float
    ) -> None:
        """Start the program; `database` is the one that it connects to."""
        self._connection = connection
        self._database = database
        self._lock_seconds = lock_seconds
        self._started = time.monotonic()
        self._child = Child(argv, connection.environment(database))

    def readinto(self, buffer: memoryview) -> int:
        """Some of the stream; 0 when the program has closed it, which says nothing of its success."""
        return self._child.readinto(buffer)

    def finish(self) -> None:
        """Return if the program reports that it has written everything; raises why not otherwise."""
        code = self._child.wait()
        if code != 0:
            raise self._failure(code, self._child.errors())

    def _failure(self, code: int, words: str) -> StrongroomError:
        reason = next((reason for pattern, reason in _REFUSALS if pattern.search(words)), None)
        if (
            reason is None
            and "LOCK TABLE" in words
            and time.monotonic() - self._started >= self._lock_seconds
        ):
            reason = Reason.LockTimeout
        reason = reason or (Reason.DumpIncomplete if code < 0 else Reason.DumpFailed)
        field = "postgres.lockTimeout" if reason is Reason.LockTimeout else field_of(self._connection, reason)
        return StrongroomError(
            reason,
            f'source {self._connection.source}: database "{self._database}": exit code {code}: {excerpt(words)} ({field})',
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the program."""
        self._child.__exit__(kind, error, trace)


def start_dump(client: Client, connection: Connection, postgres: PostgresSource, database: str) -> Dump:
    """Begin to dump one database."""
    argv: list[str | Path] = [client.program("pg_dump"), "--no-password", *dump_options(postgres)]
    return Dump(connection, database, argv, parse_duration(postgres.lock_timeout).total_seconds())


def start_globals(client: Client, connection: Connection, database: str, *, passwords: bool) -> Dump:
    """Begin to dump roles and tablespaces; pg_dumpall asks any database for them, so it is given one that is known."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    entry = f"--database=dbname='{escaped}'"
    options = globals_options(passwords=passwords)
    argv: list[str | Path] = [client.program("pg_dumpall"), "--no-password", *options, entry]
    return Dump(connection, database, argv, float("inf"))
