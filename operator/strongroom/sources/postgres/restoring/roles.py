"""Roles that a database names and the server lacks: made as the globals know them, but never with rights over the server."""

import re

from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.quoting import identifier, parse_identifier
from strongroom.sources.postgres.restoring.statements import split_statements

_NAME = r'("(?:[^"]|"")*"|[^\s";]+)'
_ATTRIBUTES = re.compile(rf"^ALTER ROLE {_NAME} WITH (.*)$", re.DOTALL)
_MEMBER = re.compile(
    rf"^GRANT {_NAME} TO {_NAME}( WITH ADMIN OPTION)?(?: WITH .*)?(?: GRANTED BY .*)?$", re.DOTALL
)
_KEPT = re.compile(
    r"\b(LOGIN|NOLOGIN|INHERIT|NOINHERIT|CREATEDB|NOCREATEDB|CONNECTION LIMIT -?\d+"
    r"|PASSWORD '(?:SCRAM-SHA-256\$[^']*|md5[0-9a-f]{32})'|VALID UNTIL '[^']*')(?=\s|$)"
)
_POWERS = re.compile(r"\b(SUPERUSER|CREATEROLE|REPLICATION|BYPASSRLS)\b")


class KnownRoles:
    """What a globals artifact says of roles. Without one nothing is known."""

    def __init__(self, sql: str = "") -> None:
        """Read pg_dumpall's SQL."""
        self._attributes: dict[str, str] = {}
        self._members: list[tuple[str, str, str]] = []
        for statement in split_statements(sql):
            if match := _ATTRIBUTES.match(statement):
                self._attributes[parse_identifier(match[1])] = match[2]
            elif match := _MEMBER.match(statement):
                self._members.append((parse_identifier(match[1]), parse_identifier(match[2]), match[3] or ""))

    def describe(self, name: str) -> str:
        """For people: how the role would be made."""
        known = self._attributes.get(name)
        if known is None:
            return f'role "{name}" is missing and is made without a login'
        powers = _POWERS.findall(known)
        without = f", without {', '.join(powers)}" if powers else ""
        return f'role "{name}" is missing and is made as the backup knows it{without}'

    def statements(self, missing: list[str]) -> list[str]:
        """SQL that makes these roles, and members of each other. Roles that are there are never changed."""
        made = [f"CREATE ROLE {identifier(name)} WITH {self._options(name)}" for name in missing]
        return made + [
            f"GRANT {identifier(group)} TO {identifier(member)}{admin}"
            for group, member, admin in self._members
            if group in missing and member in missing
        ]

    def _options(self, name: str) -> str:
        found = _KEPT.findall(self._attributes.get(name, ""))
        return " ".join(found) if found else "NOLOGIN"


def make_roles(session: Session, missing: list[str], known: KnownRoles) -> None:
    """Make them, in one transaction."""
    if not missing:
        return
    session.run("begin")
    for statement in known.statements(missing):
        session.run(statement)
    session.run("commit")
