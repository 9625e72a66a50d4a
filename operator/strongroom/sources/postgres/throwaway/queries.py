"""Queries that give one value, run in a restored database by a role that can only read: whatever they call, it is no superuser."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.api.drills import SqlCheck
from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.restoring import CheckResult
from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.quoting import identifier, literal
from strongroom.sources.postgres.throwaway.servers import ThrowAway

QUERY_SECONDS = 300
_READ_ALL_MAJOR = 14
_FOUND_BYTES = 256
# What a query raises is told apart from what it gives; the words of both are the database's.
_RUN = """
CREATE FUNCTION pg_temp.strongroom_check(query text) RETURNS text LANGUAGE plpgsql AS $strongroom$
DECLARE found text;
BEGIN
  EXECUTE query INTO found;
  RETURN CASE WHEN found IS NULL THEN 'null' ELSE 'value' || found END;
EXCEPTION
  WHEN query_canceled THEN RETURN 'error' || sqlerrm;
  WHEN OTHERS THEN RETURN 'error' || sqlerrm;
END $strongroom$
"""
_GRANTS = """
select 'GRANT USAGE ON SCHEMA ' || quote_ident(nspname) || ' TO {role}' from pg_catalog.pg_namespace
where nspname !~ '^pg_' and nspname <> 'information_schema'
union all
select 'GRANT SELECT ON ALL TABLES IN SCHEMA ' || quote_ident(nspname) || ' TO {role}' from pg_catalog.pg_namespace
where nspname !~ '^pg_' and nspname <> 'information_schema'
"""


class Queries:
    """Runs checks on one throw-away server."""

    def __init__(self, server: ThrowAway) -> None:
        """Make the role that reads."""
        self._server = server
        self._role = f"strongroom_drill_{secrets.token_hex(6)}"
        with server.reach.open_entry() as session:
            session.run(f"CREATE ROLE {identifier(self._role)} LOGIN BYPASSRLS")
            if server.reach.server_major >= _READ_ALL_MAJOR:
                session.run(f"GRANT pg_read_all_data TO {identifier(self._role)}")

    def run(self, check: SqlCheck, database: str) -> CheckResult:
        """What came of it. Raises only where the server does not answer."""
        self._open(database)
        with self._session(database) as session:
            answer = str(session.rows(f"select pg_temp.strongroom_check({literal(check.query)})")[0][0])
        return judge_answer(check, answer)

    @contextmanager
    def _session(self, database: str) -> Iterator[Session]:
        with self._server.as_role(self._role).open_session(database) as session:
            session.run(_RUN.strip())
            session.run("SET default_transaction_read_only = on")
            session.run(f"SET statement_timeout = '{QUERY_SECONDS}s'")
            session.run("RESET search_path")
            yield session

    def _open(self, database: str) -> None:
        """Let the role in, where the database keeps others out."""
        reach, role, name = self._server.reach, identifier(self._role), identifier(database)
        with reach.open_working(database) as session:
            session.run(f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {role}")
            if reach.server_major < _READ_ALL_MAJOR:
                for (statement,) in session.rows(_GRANTS.format(role=role)):
                    session.run(statement)


def judge_answer(check: SqlCheck, answer: str) -> CheckResult:
    """What the query gave, compared with what it was to give. Pure."""
    kind, found = answer[:5].strip(), answer[5:]
    if kind not in {"value", "null", "error"}:
        raise StrongroomError(Reason.DrillCouldNotRun, f"check {check.name} gave no answer")
    expected = check.expect if check.expect is not None else f"at least {check.at_least:g}"
    told = {"value": found, "null": "no value", "error": f"error: {excerpt(found)}"}[kind]
    passed = kind == "value" and _is_met(check, found)
    return CheckResult(
        name=f"check {check.name}", passed=passed, expected=expected[:256], found=told[:_FOUND_BYTES]
    )


def _is_met(check: SqlCheck, found: str) -> bool:
    if check.at_least is None:
        return found == check.expect
    try:
        return float(found) >= check.at_least
    except ValueError:
        return False
