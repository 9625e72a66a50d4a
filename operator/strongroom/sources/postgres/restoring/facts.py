"""What the server says before a database is restored to it: the present one, the role's rights, what stands in the way."""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.quoting import literal, literals

_ROLE = """
select r.rolsuper, r.rolsuper or r.rolcreatedb, r.rolsuper or r.rolcreaterole,
       r.rolsuper or pg_catalog.pg_has_role('pg_signal_backend', 'usage')
from pg_catalog.pg_roles r where r.rolname = current_user
"""
# Columns that only some versions have come as null from the others.
_DATABASE = """
select pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
       pg_catalog.to_jsonb(d) ->> 'datlocprovider',
       coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale'),
       pg_catalog.to_jsonb(d) ->> 'daticurules',
       d.datistemplate, (select t.spcname from pg_catalog.pg_tablespace t where t.oid = d.dattablespace),
       case when pg_catalog.has_database_privilege(d.oid, 'connect') then pg_catalog.pg_database_size(d.oid) end,
       pg_catalog.pg_has_role(d.datdba, 'member'), d.datallowconn
from pg_catalog.pg_database d where d.datname = {name}
"""
_OBSTACLES = """
select 'prepared transaction ' || gid from pg_catalog.pg_prepared_xacts where database = {name}
union all select 'replication slot ' || slot_name from pg_catalog.pg_replication_slots where database = {name}
union all select 'subscription ' || s.subname from pg_catalog.pg_subscription s
  join pg_catalog.pg_database d on d.oid = s.subdbid where d.datname = {name}
order by 1 limit 10
"""
_ROLES = "select rolname from pg_catalog.pg_roles where rolname in ({names})"
_EXTENSIONS = "select name from pg_catalog.pg_available_extensions where name in ({names})"
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}


@dataclass(frozen=True)
class RoleFacts:
    """What the connecting role may do."""

    is_superuser: bool
    makes_databases: bool
    makes_roles: bool
    ends_sessions: bool


@dataclass(frozen=True)
class DatabaseFacts:
    """A database that is there. `making` are the options of CREATE DATABASE that make another like it."""

    owner: str
    making: tuple[str, ...]
    tablespace: str
    is_template: bool
    size_bytes: int | None
    is_ours: bool
    """Whether the connecting role may act as its owner."""
    takes_connections: bool


def read_role(session: Session) -> RoleFacts:
    """The role of this session."""
    return RoleFacts(*session.rows(_ROLE)[0])


def read_database(session: Session, name: str) -> DatabaseFacts | None:
    """The database of that name, None if there is none."""
    rows = session.rows(_DATABASE.format(name=literal(name)))
    if not rows:
        return None
    owner, encoding, collate, ctype, provider, locale, rules, template, tablespace, size, ours, open_ = rows[
        0
    ]
    making = [
        f"ENCODING = {literal(encoding)}",
        f"LC_COLLATE = {literal(collate)}",
        f"LC_CTYPE = {literal(ctype)}",
    ]
    word = _PROVIDERS.get(provider or "")
    if word is not None and word != "libc":
        making.append(f"LOCALE_PROVIDER = {word}")
        making.append(f"{'ICU' if word == 'icu' else 'BUILTIN'}_LOCALE = {literal(locale or '')}")
        making += [f"ICU_RULES = {literal(rules)}"] if rules else []
    return DatabaseFacts(owner, tuple(making), tablespace, template, size, ours, open_)


def find_obstacles(session: Session, name: str) -> list[str]:
    """What would follow the database when it is renamed, and keep others waiting: named, at most ten."""
    return [str(row[0]) for row in session.rows(_OBSTACLES.format(name=literal(name)))]


def missing_roles(session: Session, wanted: Iterable[str]) -> list[str]:
    """Of those, the ones that the server does not have."""
    names = sorted(wanted)
    if not names:
        return []
    found = session.rows(_ROLES.format(names=literals(names)))
    have = {row[0] for row in found}
    return [name for name in names if name not in have]


def missing_extensions(session: Session, wanted: Iterable[str]) -> list[str]:
    """Of those, the ones that cannot be installed on the server."""
    names = sorted(set(wanted))
    if not names:
        return []
    found = session.rows(_EXTENSIONS.format(names=literals(names)))
    have = {row[0] for row in found}
    return [name for name in names if name not in have]


def data_folder(session: Session) -> str | None:
    """Where the server keeps its data; None where the role may not know."""
    rows = session.rows("select setting from pg_catalog.pg_settings where name = 'data_directory'")
    return str(rows[0][0]) if rows and rows[0][0] else None
