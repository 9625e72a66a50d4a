"""The readings of one server: each database, and the globals."""

from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import VerificationLevel
from strongroom.api.sources import PostgresSource
from strongroom.sources.filenames import encode_name
from strongroom.sources.postgres.access import Programs, Restorer, Server
from strongroom.sources.postgres.checks import DatabaseCheck, GlobalsCheck
from strongroom.sources.postgres.dumping import (
    Dump,
    dump_options,
    globals_options,
    start_dump,
    start_globals,
)
from strongroom.sources.postgres.facts import DatabaseFacts, ServerFacts
from strongroom.sources.reading import Check, Origin, Reading

_GLOBALS_BYTES = 4096
_READINGS = 100


@dataclass(frozen=True)
class Access:
    """One server, the programs that dump it, and the one that reads dumps.

    `stem` begins the names of its files; `container` is there where a source has several.
    """

    server: Server
    programs: Programs
    restorer: Restorer
    stem: str
    container: str | None = None


@dataclass(frozen=True)
class DatabaseReading:
    """See Reading: one database."""

    access: Access
    postgres: PostgresSource
    origin: Origin
    file_name: str
    estimated_bytes: int
    database: str

    def start(self) -> Dump:
        """See Reading."""
        return start_dump(self.access.server, self.access.programs, self.postgres, self.database)

    def start_check(self, level: VerificationLevel) -> Check:
        """See Reading."""
        return DatabaseCheck(self.access.restorer, level)


@dataclass(frozen=True)
class GlobalsReading:
    """See Reading: roles and tablespaces of the server."""

    access: Access
    origin: Origin
    file_name: str
    entry_database: str
    passwords: bool
    estimated_bytes: int = _GLOBALS_BYTES

    def start(self) -> Dump:
        """See Reading."""
        server, programs = self.access.server, self.access.programs
        return start_globals(server, programs, self.entry_database, passwords=self.passwords)

    def start_check(self, level: VerificationLevel) -> Check:  # noqa: ARG002 - SQL is read whole at either level
        """See Reading."""
        return GlobalsCheck(self.access.server.source)


def build_readings(access: Access, postgres: PostgresSource, facts: ServerFacts) -> list[Reading]:
    """What is to be read of a server that was looked at. InvalidSpec or DatabaseNotFound for too much or nothing."""
    source = access.server.source
    if len(facts.databases) > _READINGS:
        raise StrongroomError(
            Reason.InvalidSpec,
            f"source {source}: {len(facts.databases)} databases are more than the {_READINGS} of one source "
            "(postgres.allDatabases): name them in several policies",
        )
    if not facts.databases:
        raise StrongroomError(
            Reason.DatabaseNotFound, f"source {source}: the server has no database (postgres.allDatabases)"
        )
    readings: list[Reading] = [
        _database_reading(access, postgres, facts, database) for database in facts.databases
    ]
    return [*readings, _globals_reading(access, facts)] if postgres.globals else readings


def _database_reading(
    access: Access, postgres: PostgresSource, server: ServerFacts, facts: DatabaseFacts
) -> DatabaseReading:
    return DatabaseReading(
        access=access,
        postgres=postgres,
        origin=Origin(
            source=access.server.source,
            container=access.container,
            kind="database",
            database=facts.name,
            server_version=server.version,
            client_version=access.programs.version,
            owner=facts.owner,
            extensions=facts.extensions,
            options=dump_options(postgres),
            not_included=_not_dumped(postgres, server, facts),
        ),
        file_name=f"{access.stem}.{encode_name(facts.name)}.dump",
        estimated_bytes=facts.size_bytes,
        database=facts.name,
    )


def _globals_reading(access: Access, server: ServerFacts) -> GlobalsReading:
    lacking = f'passwords of roles: role "{access.server.user}" may not read pg_authid'
    return GlobalsReading(
        access=access,
        origin=Origin(
            source=access.server.source,
            container=access.container,
            kind="globals",
            database=None,
            server_version=server.version,
            client_version=access.programs.version,
            options=globals_options(passwords=server.reads_passwords),
            not_included=[] if server.reads_passwords else [lacking],
        ),
        file_name=f"{access.stem}.globals.sql",
        entry_database=server.databases[0].name,
        passwords=server.reads_passwords,
    )


def _not_dumped(postgres: PostgresSource, server: ServerFacts, facts: DatabaseFacts) -> list[str]:
    """What the server holds and this dump does not."""
    lacking = [f'database "{name}": not in postgres.databases' for name in server.left_out]
    lacking += [f'database "{name}": it was not there' for name in server.missing]
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
