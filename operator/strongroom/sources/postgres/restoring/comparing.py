"""A restored database compared with its manifest: exact rows of every table, and extensions with their versions."""

import re
from collections.abc import Iterator, Sequence

from strongroom.api.manifest import ManifestFile
from strongroom.api.restoring import CheckResult
from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.quoting import literal, parse_identifier

_NAME = r'(?:"(?:[^"]|"")+"|[^\s".]+)'
_QUALIFIED = re.compile(rf"({_NAME})\.({_NAME})")
_PATTERNS = ("--schema=", "--table=")
_EXISTS = """
select c.relkind in ('r', 'p') from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = {schema} and c.relname = {table}
"""


def compare_database(session: Session, file: ManifestFile) -> Iterator[CheckResult]:
    """Everything that the manifest tells of. The session may take its time."""
    yield _tables_counted(session, file)
    for table in file.tables:
        yield _rows(session, table.table, table.rows)
    if not any(option.startswith(_PATTERNS) for option in file.options):
        yield from _extensions(session, file.extensions)


def _tables_counted(session: Session, file: ManifestFile) -> CheckResult:
    """How many tables there are is told by the manifest also where their rows were not counted."""
    found = session.rows(
        "select count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
    )[0][0]
    expected = file.artifact.table_count or 0
    return CheckResult(
        name="tables", passed=found >= expected, expected=f"at least {expected}", found=str(found)
    )


def _rows(session: Session, table: str, expected: int) -> CheckResult:
    found = _count(session, table)
    said = "no such table" if found is None else str(found)
    return CheckResult(
        name=f"rows of {table}"[:253], passed=found == expected, expected=str(expected), found=said
    )


def _count(session: Session, table: str) -> int | None:
    """Exact rows, None where it is no table. The manifest's text is taken apart, never run as it is."""
    match = _QUALIFIED.fullmatch(table)
    if match is None:
        return None
    schema, name = parse_identifier(match[1]), parse_identifier(match[2])
    if session.rows(_EXISTS.format(schema=literal(schema), table=literal(name))) != [(True,)]:
        return None
    return int(session.rows(f"select count(*) from only {_quoted(schema)}.{_quoted(name)}")[0][0])  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _extensions(session: Session, expected: Sequence[str]) -> Iterator[CheckResult]:
    rows = session.rows("select extname, extversion from pg_catalog.pg_extension")
    found = {str(name): str(version) for name, version in rows}
    for each in expected:
        name, _, version = each.rpartition(" ")
        has = found.get(name)
        yield CheckResult(
            name=f"extension {name}"[:253],
            passed=has is not None and _numbers(has) >= _numbers(version),
            expected=version,
            found=has or "missing",
        )


def _numbers(version: str) -> list[int]:
    """A newer server brings newer versions; an older one does not do."""
    return [int(part) for part in re.findall(r"\d+", version)]
