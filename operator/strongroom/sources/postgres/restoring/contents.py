"""What an archive will make, read from its beginning: roles that it names, extensions, and how its database was made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.postgres.access import Restorer
from strongroom.sources.postgres.archive import ArchiveReader
from strongroom.sources.postgres.restoring.quoting import identifier, literal, parse_identifier
from strongroom.sources.postgres.restoring.statements import find_roles, split_statements

_PRINTED_BYTES = 256 << 20
_OPTIONS = ("--create", "--section=pre-data", "--section=post-data", "--file=-")
_EXTENSION = re.compile(r'^CREATE EXTENSION (?:IF NOT EXISTS )?("(?:[^"]|"")*"|\S+)')
_MADE = re.compile(r'^CREATE DATABASE (?:"(?:[^"]|"")*"|\S+) WITH (.*)$', re.DOTALL)
_OPTION = re.compile(r"\b([A-Z_]+) = (?:'((?:[^']|'')*)'|(\w+))")
_KEPT = {
    "ENCODING",
    "LOCALE_PROVIDER",
    "LOCALE",
    "LC_COLLATE",
    "LC_CTYPE",
    "ICU_LOCALE",
    "ICU_RULES",
    "BUILTIN_LOCALE",
}
_TABLESPACE = re.compile(r'^SET default_tablespace = ("(?:[^"]|"")*"|\S+)$')
_LATER = ("CREATE INDEX ", "CREATE UNIQUE INDEX ", "ALTER TABLE ")
_WORDS = {"libc", "icu", "builtin"}


@dataclass(frozen=True)
class Contents:
    """`making`: options of CREATE DATABASE. `properties`: statements about the database, before and behind its name.

    `later`: statements that make indexes and constraints.
    """

    roles: frozenset[str] = frozenset()
    extensions: Sequence[str] = ()
    making: Sequence[str] = ()
    properties: Sequence[tuple[str, str]] = ()
    tablespaces: frozenset[str] = frozenset()
    later: Sequence[str] = ()


def parse_contents(sql: str, database: str) -> Contents:
    """Out of the SQL that pg_restore makes of an archive of that database."""
    extensions, making, properties, later = [], [], [], []
    tablespaces = set()
    about = re.compile(
        r"^((?:ALTER DATABASE|ALTER ROLE (?:\"(?:[^\"]|\"\")*\"|\S+) IN DATABASE"
        r"|(?:GRANT|REVOKE) [A-Z, ]+ ON DATABASE) )(?:"
        + re.escape(identifier(database))
        + "|"
        + re.escape(database)
        + r")( .*)$",
        re.DOTALL,
    )
    for statement in split_statements(sql):
        if match := _EXTENSION.match(statement):
            extensions.append(parse_identifier(match[1]))
        elif match := _MADE.match(statement):
            making = list(_parse_making(match[1]))
        elif (match := about.match(statement)) and not match[2].startswith(" OWNER TO "):
            properties.append((match[1], match[2]))
        elif match := _TABLESPACE.match(statement):
            tablespaces.add(parse_identifier(match[1]))
        elif statement.startswith(_LATER):
            later.append(statement)
    return Contents(
        frozenset(find_roles(sql)), extensions, making, properties, frozenset(tablespaces - {"''"}), later
    )


def _parse_making(options: str) -> list[str]:
    found = []
    for name, quoted, word in _OPTION.findall(options):
        if name in _KEPT and (quoted or word in _WORDS):
            found.append(f"{name} = {literal(quoted.replace(chr(39) * 2, chr(39))) if quoted else word}")
    return found


class HeadReader:
    """A sink that keeps the beginning of an archive, as much as tells its contents. Leaving the context ends pg_restore."""

    def __init__(self, restorer: Restorer, database: str) -> None:
        """Start pg_restore, which only prints."""
        self._database = database
        self._printed = bytearray()
        self._reader = ArchiveReader(restorer, _OPTIONS, self._take)
        self.head = bytearray()
        self.is_over = False
        """Whether the beginning has been seen to its end: what is written further is not kept."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """See Sink."""
        if not self.is_over:
            self.head += chunk
            self._reader.write(chunk)
            self.is_over = self._reader.is_over

    def finish(self) -> Contents:
        """Its contents; VerificationFailed unless pg_restore could read them."""
        self._reader.finish()
        self.is_over = True
        return parse_contents(self._printed.decode(errors="surrogateescape"), self._database)

    def _take(self, printed: bytes) -> None:
        self._printed += printed
        if len(self._printed) > _PRINTED_BYTES:
            raise StrongroomError(Reason.VerificationFailed, "the archive's table of contents has no end")

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End pg_restore."""
        self._reader.__exit__(kind, error, trace)
