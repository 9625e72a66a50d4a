"""What belongs to a database but is in no dump of it: settings, privileges, comment, limit of connections. Carried to its successor."""

from collections.abc import Iterator

from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.quoting import identifier, literal, literals, split_list

_SETTINGS = """
select coalesce(r.rolname, ''), s.setting
from pg_catalog.pg_db_role_setting c join pg_catalog.pg_database d on d.oid = c.setdatabase
left join pg_catalog.pg_roles r on r.oid = c.setrole
cross join lateral pg_catalog.unnest(c.setconfig) s(setting)
where d.datname = {name} order by 1, 2
"""
_PRIVILEGES = """
select a.privilege_type, a.is_grantable, coalesce(r.rolname, '')
from pg_catalog.pg_database d cross join lateral pg_catalog.aclexplode(d.datacl) a
left join pg_catalog.pg_roles r on r.oid = a.grantee
where d.datname = {name} and (a.grantee = 0 or r.oid is not null) order by 3, 1
"""
_REST = """
select pg_catalog.pg_get_userbyid(d.datdba), d.datconnlimit, d.datacl is not null,
       pg_catalog.shobj_description(d.oid, 'pg_database')
from pg_catalog.pg_database d where d.datname = {name}
"""
_LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
}
"""Parameters whose values are lists of names (GUC_LIST_QUOTE): as one string they would mean one name."""


def carry_statements(session: Session, original: str, successor: str) -> list[str]:
    """SQL that gives the one what the other has. To be run while both have these names; the comment is the last."""
    owner, limit, has_privileges, comment = session.rows(_REST.format(name=literal(original)))[0]
    name = identifier(successor)
    statements = [f"ALTER DATABASE {name} OWNER TO {identifier(owner)}"]
    if limit >= 0:
        statements.append(f"ALTER DATABASE {name} CONNECTION LIMIT {limit}")
    statements += _settings(session, original, name)
    if has_privileges:
        statements += [f"REVOKE ALL ON DATABASE {name} FROM PUBLIC, {identifier(owner)}"]
        statements += _privileges(session, original, name)
    statements.append(f"COMMENT ON DATABASE {name} IS {'NULL' if comment is None else literal(comment)}")
    return statements


def _settings(session: Session, original: str, name: str) -> Iterator[str]:
    for role, setting in session.rows(_SETTINGS.format(name=literal(original))):
        parameter, _, value = setting.partition("=")
        whose = f"ROLE {identifier(role)} IN DATABASE {name}" if role else f"DATABASE {name}"
        yield f"ALTER {whose} SET {_parameter(parameter)} TO {_value(parameter, value)}"


def _parameter(name: str) -> str:
    """Parameters of extensions have a dot in their names."""
    return ".".join(identifier(part) for part in name.split("."))


def _value(parameter: str, value: str) -> str:
    if parameter.lower() in _LISTS and (items := split_list(value)):
        return literals(items)
    return literal(value)


def _privileges(session: Session, original: str, name: str) -> Iterator[str]:
    for privilege, may_grant, grantee in session.rows(_PRIVILEGES.format(name=literal(original))):
        whom = identifier(grantee) if grantee else "PUBLIC"
        yield f"GRANT {privilege} ON DATABASE {name} TO {whom}{' WITH GRANT OPTION' if may_grant else ''}"
