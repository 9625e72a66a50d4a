"""The server that a database is restored to, with the programs that do it: over the network, or inside its container."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.sources import PostgresSource
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.execs import build_marker
from strongroom.sources.postgres.access import Programs, Restorer, Server, Session
from strongroom.sources.postgres.clients import Client
from strongroom.sources.postgres.connection import SecretReader, prepare_connection, read_password
from strongroom.sources.postgres.incontainer import Inside, Login, look_inside
from strongroom.sources.postgres.network import HostPrograms, NetworkServer
from strongroom.sources.postgres.planning import Owner, find_containers
from strongroom.sources.postgres.restoring.places import ContainerPlace, HostPlace, Place

_MAJOR = re.compile(r"\d+")
_ENTRIES = ("postgres", "template1")


@dataclass(frozen=True)
class Means:
    """What of the worker's own is needed to reach servers."""

    read_secret: SecretReader
    scratch: Path
    clients: Sequence[Client]
    engine: Callable[[], Engine]
    owner: Owner


@dataclass(frozen=True)
class Reach:
    """One server as one role, and programs of one major version."""

    server: Server
    programs: Programs
    restorer: Restorer
    """A pg_restore that only prints, near to the worker where there is one."""
    place: Place
    server_major: int
    server_version: str
    container: str | None = None

    def open_entry(self, *avoid: str) -> Session:
        """A session in a database that is none of those: they are to be made, renamed or dropped."""
        failure: StrongroomError | None = None
        for name in _ENTRIES:
            if name in avoid:
                continue
            try:
                session = self.server.open_session(name)
                session.rows("select 1")
            except StrongroomError as error:
                if error.reason not in {Reason.DatabaseNotFound, Reason.AuthenticationFailed}:
                    raise
                failure = error
            else:
                return session
        raise failure or StrongroomError(Reason.DatabaseNotFound, "no database to connect to meanwhile")

    def open_working(self, database: str) -> Session:
        """A session in which statements may take their time."""
        session = self.server.open_session(database)
        session.run("set statement_timeout = 0")
        return session


def reach_server(
    means: Means, source: str, postgres: PostgresSource, *, dumped_by: str | None, container: str | None
) -> Reach:
    """Connect, and find programs that read an archive of that version of pg_dump.

    `container` chooses one of several that a label names. Raises ClientTooOld, ClientMissing, and what reaching a source raises.
    """
    if postgres.host is not None:
        return _over_network(means, source, postgres, major_of(dumped_by))
    return _inside(means, source, postgres, major_of(dumped_by), container)


def major_of(version: str | None) -> int:
    """The major of a version such as `15.4 (Debian …)`; 0 where it is not known."""
    match = _MAJOR.match(version or "")
    return int(match[0]) if match else 0


def _over_network(means: Means, source: str, postgres: PostgresSource, dump_major: int) -> Reach:
    connection = prepare_connection(source, postgres, means.read_secret, means.scratch)
    server = NetworkServer(connection)
    version, major = ask_version(server, postgres.databases)
    client = choose_programs(means.clients, source, major, dump_major)
    return Reach(
        server=server,
        programs=HostPrograms(client, connection),
        restorer=client,
        place=HostPlace(means.scratch, connection.host),
        server_major=major,
        server_version=version,
    )


def _inside(
    means: Means, source: str, postgres: PostgresSource, dump_major: int, container: str | None
) -> Reach:
    engine = means.engine()
    chosen = _one_of(find_containers(source, postgres, engine, means.owner), source, container)
    password = read_password(source, postgres, means.read_secret)
    login = Login(postgres.user, postgres.port, password, postgres.password_secret)
    server = look_inside(Inside(engine, chosen, source, build_marker(means.owner.run_uid)), login)
    if server.major < dump_major:
        raise _too_old(source, f"pg_restore in {chosen} is {server.major}", dump_major)
    version, major = ask_version(server, postgres.databases)
    able = [client for client in means.clients if client.major >= max(server.major, dump_major)]
    return Reach(
        server=server,
        programs=server,
        restorer=min(able, key=lambda client: client.major) if able else server,
        place=ContainerPlace(server),
        server_major=major,
        server_version=version,
        container=chosen.name if postgres.labelled else None,
    )


def _one_of(found: Sequence[Container], source: str, name: str | None) -> Container:
    named = [each for each in found if name is None or each.name == name]
    if len(named) == 1:
        return named[0]
    names = ", ".join(each.name for each in found)
    reason = Reason.ContainerAmbiguous if named else Reason.ContainerNotFound
    raise StrongroomError(
        reason, f"source {source}: the database was in container {name}; those of the label now: {names}"
    )


def ask_version(server: Server, databases: Sequence[str] = ()) -> tuple[str, int]:
    """What the server is, and its major. Entered by its usual databases, or one of these."""
    failure: StrongroomError | None = None
    for database in dict.fromkeys([*_ENTRIES, *databases]):
        try:
            with server.open_session(database) as session:
                version, number = session.rows(
                    "select current_setting('server_version'), current_setting('server_version_num')::int"
                )[0]
                return str(version).split(" ", 1)[0], int(number) // 10_000
        except StrongroomError as error:
            if error.reason is not Reason.DatabaseNotFound:
                raise
            failure = error
    raise failure or StrongroomError(Reason.DatabaseNotFound, f"source {server.source}: no database")


def choose_programs(clients: Iterable[Client], source: str, server_major: int, dump_major: int) -> Client:
    """The server's own major if it reads the archive, else the nearest newer one that does. ClientMissing, ClientTooOld."""
    known = sorted(clients, key=lambda client: client.major)
    able = [client for client in known if client.major >= dump_major]
    if not known:
        raise StrongroomError(
            Reason.ClientMissing,
            f"source {source}: no pg_restore was found on this machine: install postgresql-client-{max(server_major, dump_major)}",
        )
    if not able:
        raise _too_old(source, f"the newest pg_restore on this machine is {known[-1].major}", dump_major)
    return min(able, key=lambda client: (client.major < server_major, abs(client.major - server_major)))


def _too_old(source: str, what: str, dump_major: int) -> StrongroomError:
    words = f"source {source}: the dump was made by pg_dump {dump_major}, and {what}, which cannot read it"
    return StrongroomError(Reason.ClientTooOld, words)
