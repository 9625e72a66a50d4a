"""Rights around loading: what owners lack is lent to them meanwhile, and no function of a plain role runs as a superuser."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.quoting import identifier, literal, literals, parse_identifier

_OWNED = """
select c.oid, c.relowner, c.relnamespace, c.relkind, r.rolname, n.nspname, c.relname
from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid = c.relowner
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where not r.rolsuper and c.relkind in ('r', 'p', 'm', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
"""
_LACKING = f"""
with owned as ({_OWNED})
select distinct 'USAGE ON SCHEMA ' || quote_ident(nspname), rolname from owned
where not has_schema_privilege(relowner, relnamespace, 'usage')
union select distinct 'CREATE ON SCHEMA ' || quote_ident(nspname), rolname from owned
where not has_schema_privilege(relowner, relnamespace, 'create')
union select 'INSERT ON TABLE ' || quote_ident(nspname) || '.' || quote_ident(relname), rolname from owned
where case when relkind = 'r' then not has_table_privilege(relowner, oid, 'insert') end
union select 'UPDATE ON SEQUENCE ' || quote_ident(nspname) || '.' || quote_ident(relname), rolname from owned
where case when relkind = 'S' then not has_sequence_privilege(relowner, oid, 'update') end
"""  # noqa: S608
_LACKING_REFERENCES = """
select distinct w.priv || w.onto, r.rolname
from (values {pairs}) p(one, other)
join pg_catalog.pg_class c on c.oid = to_regclass(p.one) join pg_catalog.pg_roles r on r.oid = c.relowner
join pg_catalog.pg_class o on o.oid = to_regclass(p.other) join pg_catalog.pg_namespace n on n.oid = o.relnamespace
cross join lateral (values
  ('REFERENCES ON TABLE ', quote_ident(n.nspname) || '.' || quote_ident(o.relname),
   has_table_privilege(r.oid, o.oid, 'references')),
  ('USAGE ON SCHEMA ', quote_ident(n.nspname), has_schema_privilege(r.oid, n.oid, 'usage'))
) w(priv, onto, has)
where not r.rolsuper and not w.has
"""
_RECORDED = """
select substr(s.setting, length({beginning}) + 1)
from pg_catalog.pg_db_role_setting c join pg_catalog.pg_database d on d.oid = c.setdatabase
cross join lateral pg_catalog.unnest(c.setconfig) s(setting)
join pg_catalog.pg_roles r on r.oid = c.setrole
where d.datname = {name} and r.rolname = current_user and r.rolsuper and left(s.setting, length({beginning})) = {beginning}
"""
_LACKING_CREATION = """
select rolname from pg_catalog.pg_roles
where not rolsuper and rolname in ({names}) and not has_database_privilege(rolname, {database}, 'create')
"""
_QUALIFIED = r'((?:"(?:[^"]|"")*"|[^\s".(]+)\.(?:"(?:[^"]|"")*"|[^\s".(]+))'
_FOREIGN_KEY = re.compile(
    rf"^ALTER TABLE (?:ONLY )?{_QUALIFIED}\s+ADD CONSTRAINT .* FOREIGN KEY .* REFERENCES {_QUALIFIED}",
    re.DOTALL,
)
_MADE_ON = re.compile(
    rf"^(?:CREATE (?:UNIQUE )?INDEX .*? ON (?:ONLY )?|ALTER TABLE (?:ONLY )?){_QUALIFIED}", re.DOTALL
)
_SETTING = "strongroom.lent"
Lent = tuple[str, str, int | None]
"""A privilege on something, the role that it was lent to, and the number of the thing."""

# From tables and materialized views of superusers to all that is evaluated for their rows.
_LENT = """
with recursive mine as (
  select c.oid, c.relkind from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid = c.relowner
  where r.rolsuper and c.oid >= 16384 and c.relkind in ('r', 'p', 'm')
), seen(classid, objid) as (
  (select 'pg_constraint'::regclass::oid, k.oid from pg_catalog.pg_constraint k join mine m on m.oid = k.conrelid
   union select 'pg_attrdef'::regclass::oid, f.oid from pg_catalog.pg_attrdef f join mine m on m.oid = f.adrelid
     join pg_catalog.pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum where a.attgenerated <> ''
   union select 'pg_rewrite'::regclass::oid, w.oid from pg_catalog.pg_rewrite w join mine m on m.oid = w.ev_class
     where m.relkind = 'm'
   union select 'pg_type'::regclass::oid, a.atttypid from pg_catalog.pg_attribute a join mine m on m.oid = a.attrelid
     where a.atttypid >= 16384)
  union
  select n.classid, n.objid from seen s cross join lateral (
    select d.refclassid, d.refobjid from pg_catalog.pg_depend d
      where d.classid = s.classid and d.objid = s.objid and d.refobjid >= 16384
    union all select 'pg_constraint'::regclass::oid, k.oid from pg_catalog.pg_constraint k
      where s.classid = 'pg_type'::regclass and k.contypid = s.objid
    union all select 'pg_rewrite'::regclass::oid, w.oid from pg_catalog.pg_rewrite w
      where s.classid = 'pg_class'::regclass and w.ev_class = s.objid
  ) n(classid, objid)
)
select p.oid::regprocedure::text, r.rolname from seen s join pg_catalog.pg_proc p on p.oid = s.objid
join pg_catalog.pg_roles r on r.oid = p.proowner
where s.classid = 'pg_proc'::regclass and not r.rolsuper order by 1 limit 5
"""
_PLAIN_FUNCTIONS = """
select quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(', r.rolname
from pg_catalog.pg_proc p join pg_catalog.pg_roles r on r.oid = p.proowner
join pg_catalog.pg_namespace n on n.oid = p.pronamespace where not r.rolsuper
"""
_SUPERUSERS_TABLES = """
select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid = c.relowner
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where r.rolsuper and c.relkind in ('r', 'p', 'm') and c.oid >= 16384
"""


def refuse_lent_rights(session: Session, later: Iterable[str]) -> None:
    """Raise RestoreFailed when rows of a superuser's table would be given to a function of a plain role.

    `later` are the statements that make indexes and constraints of such tables. The session is one of a superuser, in the new
    database, before any row is there.
    """
    found = [f"{name} of role {role}" for name, role in session.rows(_LENT)]
    found = found or list(_in_statements(session, later))
    if found:
        raise StrongroomError(
            Reason.RestoreFailed,
            f"a table or materialized view of a superuser calls {', '.join(found[:5])}: restored, that would run with a "
            "superuser's rights. Give both one owner where they are backed up, or restore this dump by hand",
        )


def _in_statements(session: Session, later: Iterable[str]) -> Iterator[str]:
    plain = session.rows(_PLAIN_FUNCTIONS)
    tables = {row[0] for row in session.rows(_SUPERUSERS_TABLES)} if plain else set()
    for statement in later if tables else ():
        made_on = _MADE_ON.match(statement)
        if made_on is not None and made_on[1] in tables:
            yield from (
                f"{call.removesuffix('(')} of role {role}" for call, role in plain if call in statement
            )


@dataclass(frozen=True)
class Creation:
    """A database that lasts, and roles that make schemas in it."""

    database: str
    roles: Collection[str]


class Lending:
    """What owners may lack since their tables were made, or had help with, is lent to them while rows are loaded."""

    def __init__(self, session: Session, later: Iterable[str], creation: Creation | None = None) -> None:
        """Lend it. If it is not taken back, the database is dropped.

        Of one that lasts (`creation`) it is written down before: so `recall_lent` knows it, whoever is killed. It stands in a setting of
        ours for that database, which only superusers can make: it is believed.
        """
        self._session = session
        self._database = None if creation is None else creation.database
        lacking = session.rows(_LACKING)
        pairs = [match.groups() for each in later if (match := _FOREIGN_KEY.match(each))]
        if pairs:
            listed = ", ".join(f"({literal(one)}, {literal(other)})" for one, other in pairs)
            lacking = [*lacking, *session.rows(_LACKING_REFERENCES.format(pairs=listed))]
        if creation is not None and creation.roles:
            query = _LACKING_CREATION.format(
                names=literals(sorted(creation.roles)), database=literal(creation.database)
            )
            what = f"CREATE ON DATABASE {identifier(creation.database)}"
            lacking = [*lacking, *((what, role) for (role,) in session.rows(query))]
        self._lent = [(what, role, _number_of(session, what)) for what, role in dict.fromkeys(lacking)]
        if self._database is not None and self._lent:
            session.run(f"{_own_setting(self._database)} SET {_SETTING} TO {literal(json.dumps(self._lent))}")
        for what, role, _ in self._lent:
            session.run(f"GRANT {what} TO {identifier(role)}")

    def take_back(self) -> None:
        """Leave the privileges as the archive has them. What has been dropped meanwhile has taken its own along."""
        _revoke(self._session, self._lent)
        if self._database is not None and self._lent:
            self._session.run(f"{_own_setting(self._database)} RESET {_SETTING}")
        self._lent = []


def recall_lent(session: Session, database: str) -> list[Lent]:
    """What a worker has lent in a database that lasts, and not taken back. Nothing where that is not there."""
    found = session.rows(_RECORDED.format(name=literal(database), beginning=literal(f"{_SETTING}=")))
    return [(what, role, number) for (text,) in found for what, role, number in json.loads(text)]


def take_back_lent(session: Session, database: str, lent: Sequence[Lent]) -> None:
    """Take it back, in a session in that database. Idempotent."""
    if lent:
        _revoke(session, lent)
        session.run(f"{_own_setting(database)} RESET {_SETTING}")


def _own_setting(database: str) -> str:
    return f"ALTER ROLE CURRENT_USER IN DATABASE {identifier(database)}"


def _revoke(session: Session, lent: Iterable[Lent]) -> None:
    """Of what is the same object still: one that was made anew has the privileges of the archive, and a role may be gone."""
    for what, role, number in lent:
        has_role = session.rows(f"select 1 from pg_catalog.pg_roles where rolname = {literal(role)}")  # noqa: S608
        if has_role and _number_of(session, what) == number:
            session.run(f"REVOKE {what} FROM {identifier(role)}")


def _number_of(session: Session, what: str) -> int | None:
    """The object's own number; None where it is not there."""
    kind, _, name = what.partition(" ON ")[2].partition(" ")
    lookup = {
        "DATABASE": "select oid from pg_catalog.pg_database where datname = {0}",
        "SCHEMA": "select pg_catalog.to_regnamespace({0})::oid",
    }.get(kind, "select pg_catalog.to_regclass({0})::oid")
    named = literal(parse_identifier(name) if kind == "DATABASE" else name)
    rows = session.rows(lookup.format(named))
    return None if not rows or rows[0][0] is None else int(rows[0][0])
