"""From a source's fields to the readings of its server: each database, and the globals."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import VerificationLevel
from strongroom.api.sources import PostgresSource
from strongroom.sources.filenames import encode_name
from strongroom.sources.postgres.checks import DatabaseCheck, GlobalsCheck
from strongroom.sources.postgres.clients import Client, choose_client
from strongroom.sources.postgres.connection import Connection, SecretReader, prepare_connection
from strongroom.sources.postgres.dumping import (
    Dump,
    dump_options,
    globals_options,
    start_dump,
    start_globals,
)
from strongroom.sources.postgres.facts import DatabaseFacts, ServerFacts, read_server
from strongroom.sources.reading import Check, Origin, Reading

_GLOBALS_BYTES = 4096
_READINGS = 100


@dataclass(frozen=True)
class DatabaseReading:
    """See Reading: one database."""

    connection: Connection
    postgres: PostgresSource
    client: Client
    origin: Origin
    file_name: str
    estimated_bytes: int
    database: str

    def start(self) -> Dump:
        """See Reading."""
        return start_dump(self.client, self.connection, self.postgres, self.database)

    def start_check(self, level: VerificationLevel) -> Check:
        """See Reading."""
        return DatabaseCheck(self.client, level)


@dataclass(frozen=True)
class GlobalsReading:
    """See Reading: roles and tablespaces of the server."""

    connection: Connection
    client: Client
    origin: Origin
    file_name: str
    entry_database: str
    passwords: bool
    estimated_bytes: int = _GLOBALS_BYTES

    def start(self) -> Dump:
        """See Reading."""
        return start_globals(self.client, self.connection, self.entry_database, passwords=self.passwords)

    def start_check(self, level: VerificationLevel) -> Check:  # noqa: ARG002 - SQL is read whole at either level
        """See Reading."""
        return GlobalsCheck(self.connection.source)


def plan_readings(
    source: str,
    postgres: PostgresSource,
    *,
    read_secret: SecretReader,
    scratch: Path,
    clients: Iterable[Client],
) -> list[Reading]:
    """Connect, look, and say what is to be read; everything that can be refused beforehand is.

    Raises what `prepare_connection`, `read_server` and `choose_client` raise.
    """
    connection = prepare_connection(source, postgres, read_secret, scratch)
    server = read_server(connection, postgres)
    client = choose_client(clients, server.major, source)
    if len(server.databases) > _READINGS:
        raise StrongroomError(
            Reason.InvalidSpec,
            f"source {source}: {len(server.databases)} databases are more than the {_READINGS} of one source "
            "(postgres.allDatabases): name them in several policies",
        )
    if not server.databases:
        raise StrongroomError(
            Reason.DatabaseNotFound, f"source {source}: the server has no database (postgres.allDatabases)"
        )
    readings: list[Reading] = [
        _database_reading(connection, postgres, client, server, facts) for facts in server.databases
    ]
    return [*readings, _globals_reading(connection, client, server)] if postgres.globals else readings


def _database_reading(
    connection: Connection,
    postgres: PostgresSource,
    client: Client,
    server: ServerFacts,
    facts: DatabaseFacts,
) -> DatabaseReading:
    return DatabaseReading(
        connection=connection,
        postgres=postgres,
        client=client,
        origin=Origin(
            source=connection.source,
            kind="database",
            database=facts.name,
            server_version=server.version,
            client_version=client.version,
            owner=facts.owner,
            extensions=facts.extensions,
            options=dump_options(postgres),
            not_included=_not_dumped(postgres, server, facts),
        ),
        file_name=f"{connection.source}.{encode_name(facts.name)}.dump",
        estimated_bytes=facts.size_bytes,
        database=facts.name,
    )


def _globals_reading(connection: Connection, client: Client, server: ServerFacts) -> GlobalsReading:
    lacking = f'passwords of roles: role "{connection.user}" may not read pg_authid'
    return GlobalsReading(
        connection=connection,
        client=client,
        origin=Origin(
            source=connection.source,
            kind="globals",
            database=None,
            server_version=server.version,
            client_version=client.version,
            options=globals_options(passwords=server.reads_passwords),
            not_included=[] if server.reads_passwords else [lacking],
        ),
        file_name=f"{connection.source}.globals.sql",
        entry_database=server.databases[0].name,
        passwords=server.reads_passwords,
    )


def _not_dumped(postgres: PostgresSource, server: ServerFacts, facts: DatabaseFacts) -> list[str]:
    """What the server holds and this dump does not."""
    lacking = [f'database "{name}": not in postgres.databases' for name in server.left_out]
    if not postgres.globals:
        lacking.append("roles and tablespaces: postgres.globals is false")
    if postgres.include_schemas or postgres.include_tables:
        lacking.append(
            "everything outside of postgres.includeSchemas and includeTables, large objects among it"
        )
    lacking += [f"schemas matching {pattern}" for pattern in postgres.exclude_schemas]
    lacking += [f"tables matching {pattern}" for pattern in postgres.exclude_tables]
    lacking += [f"rows of tables matching {pattern}" for pattern in postgres.exclude_table_data]
    if facts.foreign_tables:
        lacking.append(f"rows of {facts.foreign_tables} foreign tables: they lie on other servers")
    return lacking
