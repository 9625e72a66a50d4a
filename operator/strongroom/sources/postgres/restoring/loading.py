"""pg_restore into a new database, in three parts: definitions, rows, and what is made of rows.

https://www.postgresql.org/docs/current/app-pgrestore.html: `--section` and `--use-set-session-authorization`.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.sources.postgres.access import Process
from strongroom.sources.postgres.restoring.facts import RoleFacts
from strongroom.sources.postgres.restoring.reaching import Reach

_DRAIN_BYTES = 64 << 10
_REFUSALS = (
    (
        re.compile(r"extension \"[^\"]*\" is not available|could not open extension control file"),
        Reason.ExtensionMissing,
    ),
    (
        re.compile(r"No space left on device|could not extend file|disk full|Disk quota exceeded"),
        Reason.NotEnoughSpace,
    ),
    (re.compile(r"unsupported version \("), Reason.ClientTooOld),
    (
        re.compile(r"permission denied|must be (superuser|owner|member)|must be able to SET ROLE"),
        Reason.PermissionDenied,
    ),
    (
        re.compile(
            r"connection to server|server closed the connection|terminating connection|the database system is"
            r"|no connection to the server|SSL SYSCALL"
        ),
        Reason.SourceUnreachable,
    ),
)
_TOLD = re.compile(
    r"^(?:pg_restore: (?:error: |\[archiver[^\]]*\] )?|[^\n]*?\b(?:ERROR|FATAL):  )(.*)$", re.MULTILINE
)
_ERROR = re.compile(r"(?:ERROR|FATAL):  ([^\n]*)")


@dataclass(frozen=True)
class Archive:
    """The dump as far as it is at hand: a file where the programs run, or its beginning alone, in memory."""

    path: str | None = None
    head: bytes = b""


@dataclass(frozen=True)
class Loading:
    """One new database, and who fills it."""

    reach: Reach
    role: RoleFacts
    database: str
    owner: str
    jobs: int = 1
    options: Sequence[str] = ()

    def define(self, archive: Archive) -> None:
        """Make types, functions, tables and all else that rows need, with their owners and privileges.

        No function of the archive runs: expressions are evaluated only when there are rows.
        """
        options = ["--section=pre-data", *([] if self.role.is_superuser else self._as_owner)]
        self._run(options, archive)

    def start_rows(self) -> "Feeding":
        """Begin to load the rows of an archive that is written to this."""
        return Feeding(self, self._start(["--section=data", *self._as_owner], stdin=True))

    def complete(self, archive: Archive, *, rows: bool) -> None:
        """Make indexes, constraints, triggers, …; with `rows` load these first, in parallel, from the archive's file."""
        sections = [*(["--section=data"] if rows else []), "--section=post-data"]
        parallel = [f"--jobs={self.jobs}"] if archive.path is not None and self.jobs > 1 else []
        self._run([*sections, *self._as_owner, *parallel], archive)

    def run_whole(self, archive: Archive, options: Sequence[str]) -> None:
        """All of it at once, with these options more."""
        self._run([*options, *self._as_owner], archive)

    @property
    def _as_owner(self) -> list[str]:
        """Each entry as its owner: only a superuser can become anybody. Others have no rights to lend."""
        if self.role.is_superuser:
            return ["--use-set-session-authorization"]
        return [f"--role={self.owner}"] if self.owner != self.reach.server.user else []

    def _run(self, options: Sequence[str], archive: Archive) -> None:
        by_path = archive.path is not None
        with self._start([*options, *([archive.path] if archive.path else [])], stdin=not by_path) as process:
            if not by_path:
                with suppress(BrokenPipeError):
                    process.write(archive.head)
                process.close_stdin()
            self.finish(process)

    def _start(self, options: Sequence[str], *, stdin: bool) -> Process:
        common = ["--exit-on-error", "--no-subscriptions", f"--dbname=dbname={_quoted(self.database)}"]
        return self.reach.programs.start(
            "pg_restore", [*common, *self.options, *options], self.database, stdin=stdin
        )

    def finish(self, process: Process) -> None:
        """Return once it has ended well."""
        while process.read(_DRAIN_BYTES):
            pass
        code = process.wait()
        if code != 0:
            raise self.failure(code, process.errors())

    def failure(self, code: int, words: str) -> StrongroomError:
        """Why pg_restore has failed. Its context lines may hold rows, and are left out."""
        reason = next(
            (reason for pattern, reason in _REFUSALS if pattern.search(words)), Reason.RestoreFailed
        )
        told = _ERROR.findall(words) or _TOLD.findall(words) or [words]
        return StrongroomError(
            reason,
            f'source {self.reach.server.source}: pg_restore into "{self.database}" ended with exit code {code}: {excerpt(told[0])}',
        )

    def at_once(self) -> "Loading":
        """The same, one thing after the other."""
        return replace(self, jobs=1)


class Feeding:
    """A pg_restore that is written to. Leaving the context ends it."""

    def __init__(self, loading: Loading, process: Process) -> None:
        """Take it over."""
        self._loading = loading
        self._process = process

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Some of the archive. Raises why pg_restore has ended, if it has."""
        try:
            self._process.write(chunk)
        except BrokenPipeError:
            self.finish()

    def finish(self) -> None:
        """That was all; return once it has ended well."""
        self._process.close_stdin()
        self._loading.finish(self._process)

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.__exit__(None, None, None)


def _quoted(name: str) -> str:
    """A value as libpq's connection strings write it."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
