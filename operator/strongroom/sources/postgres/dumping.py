"""One stream out of a server: a database by pg_dump, or the roles and tablespaces by pg_dumpall."""

import re
import time
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.fields import parse_duration
from strongroom.api.sources import PostgresSource
from strongroom.sources.postgres.access import Process, Programs, Server

_PATTERN_OPTIONS = (
    ("include_schemas", "--schema"),
    ("exclude_schemas", "--exclude-schema"),
    ("include_tables", "--table"),
    ("exclude_tables", "--exclude-table"),
    ("exclude_table_data", "--exclude-table-data"),
)
_SIGNALLED = 128
"""A shell's exit codes above this are signals."""
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

    def __init__(self, server: Server, database: str, process: Process, lock_seconds: float) -> None:
        """Take over the program, just started; `database` is the one that it connects to."""
        self._server = server
        self._database = database
        self._lock_seconds = lock_seconds
        self._started = time.monotonic()
        self._process = process

    def readinto(self, buffer: memoryview) -> int:
        """Some of the stream; 0 when the program has closed it, which says nothing of its success."""
        return self._process.readinto(buffer)

    def finish(self) -> None:
        """Return if the program reports that it has written everything; raises why not otherwise."""
        code = self._process.wait()
        if code != 0:
            raise self._failure(code, self._process.errors())

    def _failure(self, code: int, words: str) -> StrongroomError:
        reason = next((reason for pattern, reason in _REFUSALS if pattern.search(words)), None)
        if (
            reason is None
            and "LOCK TABLE" in words
            and time.monotonic() - self._started >= self._lock_seconds
        ):
            reason = Reason.LockTimeout
        reason = reason or (Reason.DumpIncomplete if code < 0 or code > _SIGNALLED else Reason.DumpFailed)
        field = "postgres.lockTimeout" if reason is Reason.LockTimeout else self._server.field_of(reason)
        return StrongroomError(
            reason,
            f'source {self._server.source}: database "{self._database}": exit code {code}: {excerpt(words)} ({field})',
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the program."""
        self._process.__exit__(kind, error, trace)


def start_dump(server: Server, programs: Programs, postgres: PostgresSource, database: str) -> Dump:
    """Begin to dump one database."""
    process = programs.start("pg_dump", dump_options(postgres), database)
    return Dump(server, database, process, parse_duration(postgres.lock_timeout).total_seconds())


def start_globals(server: Server, programs: Programs, database: str, *, passwords: bool) -> Dump:
    """Begin to dump roles and tablespaces; pg_dumpall asks any database for them, so it is given one that is known."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    options = [*globals_options(passwords=passwords), f"--database=dbname='{escaped}'"]
    return Dump(server, database, programs.start("pg_dumpall", options, database), float("inf"))
