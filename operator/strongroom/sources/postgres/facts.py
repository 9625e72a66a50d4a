"""What the server says of itself and of each database before it is dumped."""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.sources import PostgresSource
from strongroom.sources.postgres.access import Server, Session

_LISTED = 5

_SERVER = """
select current_setting('server_version'), current_setting('server_version_num')::int,
       has_table_privilege('pg_catalog.pg_authid', 'select')
"""
_DATABASES = """
select datname from pg_catalog.pg_database where datallowconn and not datistemplate order by datname
"""
_NAMES_OF_ALL = "select datname from pg_catalog.pg_database"
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
    missing: Sequence[str] = ()
    """Databases that the source names and the server has not."""


def read_server(
    server: Server, postgres: PostgresSource, databases: Sequence[str], *, takes_what_is_there: bool = False
) -> ServerFacts:
    """Connect to every database of the source (to each on the server without a list) and see that it can be dumped.

    `takes_what_is_there`: leave out those that are not there at all, as long as one is. Raises SourceUnreachable, AuthenticationFailed, TlsFailed, DatabaseNotFound, PermissionDenied, RowSecurity or
    EmptyDatabase, each naming the source and the field.
    """
    first = _first_there(server, databases, takes_what_is_there=takes_what_is_there)
    with server.open_session(first) as session:
        version, number, reads_passwords = session.rows(_SERVER)[0]
        existing = [row[0] for row in session.rows(_DATABASES)]
        known = {row[0] for row in session.rows(_NAMES_OF_ALL)} if takes_what_is_there else {*databases}
    there = [name for name in databases if name in known]
    wanted = (there or databases) if databases else existing
    return ServerFacts(
        version=str(version).split(" ", 1)[0],
        major=number // 10_000,
        reads_passwords=reads_passwords,
        databases=[_read_database(server, postgres, name) for name in wanted],
        left_out=[name for name in existing if name not in wanted],
        missing=[name for name in databases if name not in wanted],
    )


def _first_there(server: Server, databases: Sequence[str], *, takes_what_is_there: bool) -> str:
    """A database to ask for the others."""
    for name in databases[:-1] if takes_what_is_there else ():
        try:
            with server.open_session(name) as session:
                session.rows("select 1")
        except StrongroomError as error:
            if error.reason is not Reason.DatabaseNotFound:
                raise
        else:
            return name
    if takes_what_is_there and databases:
        return databases[-1]
    return databases[0] if databases else _entry_database(server)


def _entry_database(server: Server) -> str:
    """A database to ask for the others: `postgres`, or `template1` where someone has removed that."""
    try:
        with server.open_session("postgres") as session:
            session.rows("select 1")
    except StrongroomError as error:
        if error.reason is not Reason.DatabaseNotFound:
            raise
        return "template1"
    return "postgres"


def _read_database(server: Server, postgres: PostgresSource, name: str) -> DatabaseFacts:
    with server.open_session(name) as session:
        owner, size = session.rows(_DATABASE)[0]
        _refuse_empty(session, server, postgres, name)
        if not _is_partial(postgres):
            _refuse_unreadable(session, server, name)
        return DatabaseFacts(
            name=name,
            owner=owner,
            size_bytes=size,
            extensions=[row[0] for row in session.rows(_EXTENSIONS)],
            foreign_tables=session.rows(_FOREIGN_TABLES)[0][0],
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


def _refuse_empty(session: Session, server: Server, postgres: PostgresSource, name: str) -> None:
    if not postgres.allow_empty and session.rows(_COUNT)[0][0] == 0:
        raise StrongroomError(
            Reason.EmptyDatabase,
            f'source {server.source}: database "{name}" has no table (postgres.databases, postgres.allowEmpty)',
        )


def _refuse_unreadable(session: Session, server: Server, name: str) -> None:
    """Say before the dump, and in words that do not depend on the server's language, what pg_dump would stumble over."""
    unreadable = [row[0] for row in session.rows(_UNREADABLE)]
    if unreadable:
        raise StrongroomError(
            Reason.PermissionDenied,
            f'source {server.source}: role "{server.user}" may not read {", ".join(unreadable)} in database '
            f'"{name}" (postgres.user)',
        )
    objects = [row[0] for row in session.rows(_UNREADABLE_OBJECTS)]
    if objects:
        raise StrongroomError(
            Reason.PermissionDenied,
            f'source {server.source}: role "{server.user}" may not read large objects {", ".join(objects)} in '
            f'database "{name}": GRANT SELECT ON LARGE OBJECT … (postgres.user)',
        )
    secured = [row[0] for row in session.rows(_ROW_SECURITY)]
    if secured:
        raise StrongroomError(
            Reason.RowSecurity,
            f'source {server.source}: row-level security hides rows of {", ".join(secured)} in database "{name}" '
            f'from role "{server.user}" (postgres.user)',
        )
