"""What the server says of itself and of each database before it is dumped."""

from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.sources import PostgresSource
from strongroom.sources.postgres.connection import Connection
from strongroom.sources.postgres.failures import connection_failure

_QUERY_MILLISECONDS = 120_000
_LISTED = 5

_SERVER = """
select current_setting('server_version'), current_setting('server_version_num')::int,
       has_table_privilege('pg_catalog.pg_authid', 'select')
"""
_DATABASES = """
select datname from pg_catalog.pg_database where datallowconn and not datistemplate order by datname
"""
_DATABASE = """
select pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_database_size(oid)
from pg_catalog.pg_database where datname = pg_catalog.current_database()
"""
_EXTENSIONS = "select extname || ' ' || extversion from pg_catalog.pg_extension order by extname"
# Tables of users: neither the system's nor an extension's own.
_TABLES = """
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't'
  and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
  and not exists (select from pg_catalog.pg_depend d
                  where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
"""
_COUNT = f"select count(*) {_TABLES}"
_NAMES = f"select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) {_TABLES}"
_ROW_SECURITY = f"{_NAMES} and pg_catalog.row_security_active(c.oid) order by 1 limit {_LISTED}"
_UNREADABLE = f"""{_NAMES} and not (pg_catalog.has_schema_privilege(n.oid, 'usage')
  and pg_catalog.has_table_privilege(c.oid, 'select')) order by 1 limit {_LISTED}"""
# pg_read_all_data does not reach large objects.
_UNREADABLE_OBJECTS = """
select o.oid::text from pg_catalog.pg_largeobject_metadata o
where current_setting('is_superuser') = 'off' and current_setting('lo_compat_privileges') = 'off'
  and not pg_catalog.pg_has_role(o.lomowner, 'usage')
  and not exists (select from pg_catalog.aclexplode(o.lomacl) a where a.privilege_type = 'SELECT'
                  and (a.grantee = 0 or pg_catalog.pg_has_role(a.grantee, 'usage')))
order by o.oid limit 5
"""
_FOREIGN_TABLES = "select count(*) from pg_catalog.pg_class where relkind = 'f'"


@dataclass(frozen=True)
class DatabaseFacts:
    """One database. `size_bytes` is what it takes on the server's disk, indexes included."""

    name: str
    owner: str
    size_bytes: int
    extensions: list[str]
    foreign_tables: int


@dataclass(frozen=True)
class ServerFacts:
    """One server, the databases that the source names, and those that it leaves out."""

    version: str
    major: int
    reads_passwords: bool
    databases: list[DatabaseFacts]
    left_out: list[str]


def read_server(connection: Connection, postgres: PostgresSource) -> ServerFacts:
    """Connect to every database of the source and see that it can be dumped.

    Raises SourceUnreachable, AuthenticationFailed, TlsFailed, DatabaseNotFound, PermissionDenied, RowSecurity or
    EmptyDatabase, each naming the source and the field.
    """
    first = postgres.databases[0] if postgres.databases else _entry_database(connection)
    with _connect(connection, first) as session:
        version, number, reads_passwords = _row(session, connection, _SERVER)
        existing = [row[0] for row in _rows(session, connection, _DATABASES)]
    wanted = postgres.databases or existing
    return ServerFacts(
        version=str(version).split(" ", 1)[0],
        major=number // 10_000,
        reads_passwords=reads_passwords,
        databases=[_read_database(connection, postgres, name) for name in wanted],
        left_out=[name for name in existing if name not in wanted],
    )


def _entry_database(connection: Connection) -> str:
    """A database to ask for the others: `postgres`, or `template1` where someone has removed that."""
    try:
        _connect(connection, "postgres").close()
    except StrongroomError as error:
        if error.reason is not Reason.DatabaseNotFound:
            raise
        return "template1"
    return "postgres"


def _read_database(connection: Connection, postgres: PostgresSource, name: str) -> DatabaseFacts:
    with _connect(connection, name) as session:
        owner, size = _row(session, connection, _DATABASE)
        _refuse_empty(session, connection, postgres, name)
        if not _is_partial(postgres):
            _refuse_unreadable(session, connection, name)
        return DatabaseFacts(
            name=name,
            owner=owner,
            size_bytes=size,
            extensions=[row[0] for row in _rows(session, connection, _EXTENSIONS)],
            foreign_tables=_row(session, connection, _FOREIGN_TABLES)[0],
        )


def _is_partial(postgres: PostgresSource) -> bool:
    """Whether patterns choose what is dumped: then only pg_dump itself knows which tables matter."""
    return bool(
        postgres.include_schemas
        or postgres.exclude_schemas
        or postgres.include_tables
        or postgres.exclude_tables
        or postgres.exclude_table_data
    )


def _refuse_empty(
    session: psycopg.Connection[TupleRow], connection: Connection, postgres: PostgresSource, name: str
) -> None:
    if not postgres.allow_empty and _row(session, connection, _COUNT)[0] == 0:
        raise StrongroomError(
            Reason.EmptyDatabase,
            f'source {connection.source}: database "{name}" has no table (postgres.databases, postgres.allowEmpty)',
        )


def _refuse_unreadable(session: psycopg.Connection[TupleRow], connection: Connection, name: str) -> None:
    """Say before the dump, and in words that do not depend on the server's language, what pg_dump would stumble over."""
    unreadable = [row[0] for row in _rows(session, connection, _UNREADABLE)]
    if unreadable:
        raise StrongroomError(
            Reason.PermissionDenied,
            f'source {connection.source}: role "{connection.user}" may not read {", ".join(unreadable)} in database '
            f'"{name}" (postgres.user)',
        )
    objects = [row[0] for row in _rows(session, connection, _UNREADABLE_OBJECTS)]
    if objects:
        raise StrongroomError(
            Reason.PermissionDenied,
            f'source {connection.source}: role "{connection.user}" may not read large objects {", ".join(objects)} in '
            f'database "{name}": GRANT SELECT ON LARGE OBJECT … (postgres.user)',
        )
    secured = [row[0] for row in _rows(session, connection, _ROW_SECURITY)]
    if secured:
        raise StrongroomError(
            Reason.RowSecurity,
            f'source {connection.source}: row-level security hides rows of {", ".join(secured)} in database "{name}" '
            f'from role "{connection.user}" (postgres.user)',
        )


def _connect(connection: Connection, database: str) -> psycopg.Connection[TupleRow]:
    try:
        session = psycopg.connect(connection.conninfo(database), autocommit=True)
        session.execute(f"set statement_timeout = {_QUERY_MILLISECONDS}")
    except psycopg.Error as error:
        raise connection_failure(connection, database, error) from error
    return session


def _rows(session: psycopg.Connection[TupleRow], connection: Connection, query: str) -> list[TupleRow]:
    try:
        return session.execute(query.encode()).fetchall()
    except psycopg.Error as error:
        raise connection_failure(connection, session.info.dbname, error) from error


def _row(session: psycopg.Connection[TupleRow], connection: Connection, query: str) -> TupleRow:
    return _rows(session, connection, query)[0]
