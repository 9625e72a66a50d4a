"""A server inside its container, by the container's own psql, pg_dump, pg_dumpall and pg_restore."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.fields import SecretKeyReference
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.execs import ExecOptions, ExecStream
from strongroom.sources.postgres.clients import parse_version
from strongroom.sources.postgres.connection import CONNECT_SECONDS
from strongroom.sources.postgres.containerscripts import LOOK, RUN
from strongroom.sources.postgres.failures import reason_of_words
from strongroom.sources.postgres.psql import OPTIONS, PsqlSession

_MOST_PRINTED_BYTES = 64 << 10
_NO_PROGRAM = {126, 127}
_PREFIX = re.compile(r"^(psql: error: )?(connection to server .*? failed: )?((FATAL|ERROR): +)?")


@dataclass(frozen=True)
class Inside:
    """Where programs run: a container of this host, for one source and one run."""

    engine: Engine
    container: Container
    source: str
    marker: str


@dataclass(frozen=True)
class ContainerServer:
    """See Server, Programs and Restorer. `password` is that of the policy's Secret; it travels by stdin alone."""

    inside: Inside
    user: str
    port: int
    default_database: str
    version: str
    major: int
    password: str | None
    password_secret: SecretKeyReference | None

    @property
    def source(self) -> str:
        """See Server."""
        return self.inside.source

    def open_session(self, database: str) -> PsqlSession:
        """See Server. The connection is made in the meantime: the first query finds out."""
        process = self._run(["psql", *OPTIONS], database, stdin=True)
        where = f'source {self.source}: {self.inside.container}: database "{database}"'
        return PsqlSession(
            process, lambda words: self._refusal(words, database), lambda words: f"{where}: {words}"
        )

    def start(
        self, program: str, options: Sequence[str], database: str, *, stdin: bool = False
    ) -> ExecStream:
        """See Programs."""
        return self._run([program, "--no-password", *options], database, stdin=stdin)

    def start_restore(self, options: Sequence[str]) -> ExecStream:
        """See Restorer."""
        argv = ["sh", "-c", RUN, "strongroom", "pg_restore", *options]
        return _start(self.inside, argv, ExecOptions(environment={"LC_ALL": "C"}, stdin=True))

    def field_of(self, reason: Reason) -> str:
        """See Server."""
        if reason is Reason.AuthenticationFailed and self.password_secret is not None:
            return (
                f"postgres.passwordSecret: Secret {self.password_secret.name}, key {self.password_secret.key}"
            )
        if reason is Reason.AuthenticationFailed:
            return f"postgres.user {self.user}; no postgres.passwordSecret is set"
        if reason is Reason.SourceUnreachable:
            return f"{self.inside.container}, postgres.port {self.port}"
        fields = {Reason.DatabaseNotFound: "postgres.databases", Reason.PermissionDenied: "postgres.user"}
        return fields.get(reason, "postgres")

    def _run(self, argv: Sequence[str], database: str, *, stdin: bool) -> ExecStream:
        environment = {
            "LC_ALL": "C",
            "PGUSER": self.user,
            "PGDATABASE": database,
            "PGPORT": str(self.port),
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
            "PGAPPNAME": "strongroom",
        }
        secrets: Mapping[str, str] = {} if self.password is None else {"PGPASSWORD": self.password}
        options = ExecOptions(environment=environment, secrets=secrets, stdin=stdin)
        return _start(self.inside, ["sh", "-c", RUN, "strongroom", *argv], options)

    def _refusal(self, words: str, database: str) -> StrongroomError:
        reason = reason_of_words(words)
        said = excerpt(_PREFIX.sub("", words.strip()))
        return StrongroomError(
            reason,
            f'source {self.source}: {self.inside.container}: database "{database}": {said} ({self.field_of(reason)})',
        )


@dataclass(frozen=True)
class Login:
    """What the policy says of the role, as far as it says it."""

    user: str | None
    port: int
    password: str | None
    password_secret: SecretKeyReference | None


def look_inside(inside: Inside, login: Login) -> ContainerServer:
    """Ask the container for its own user, database and programs. The server itself is not asked yet.

    Raises ClientMissing for a container without pg_dump or sh, ContainerNotFound, EngineUnreachable, DumpIncomplete.
    """
    with _start(inside, ["sh", "-c", LOOK], ExecOptions(environment={"LC_ALL": "C"})) as stream:
        printed = b""
        while len(printed) < _MOST_PRINTED_BYTES and (chunk := stream.read(4096)):
            printed += chunk
        code = stream.wait()
        words = stream.errors()
    lines = printed.decode(errors="replace").splitlines()
    version = parse_version(lines[2]) if code == 0 and len(lines) == 3 else None
    if version is None:
        raise StrongroomError(
            Reason.ClientMissing,
            f"source {inside.source}: {inside.container} has no pg_dump that runs (exit code {code}): {excerpt(words)}",
        )
    return ContainerServer(
        inside=inside,
        user=login.user or lines[0],
        port=login.port,
        default_database=lines[1],
        version=version[1],
        major=version[0],
        password=login.password,
        password_secret=login.password_secret,
    )


def _start(inside: Inside, argv: Sequence[str], options: ExecOptions) -> ExecStream:
    return ExecStream(inside.engine, inside.container, argv, marker=inside.marker, options=options)
