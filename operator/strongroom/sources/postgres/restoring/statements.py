"""SQL as pg_dump and pg_dumpall write it, taken apart into statements: quotes, comments and function bodies are respected."""

import re
from collections.abc import Iterator

_PIECE = re.compile(
    r"""
      (?P<skip> --[^\n]*\n? | /\*.*?\*/ )
    | (?P<text> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<end> ; )
    | (?P<plain> [^-/'"$;eE\\]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BODY = re.compile(r"\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$")
_NAME = r'(?:"(?:[^"]|"")*"|[^\s",;()]+)'
_ROLES = (
    re.compile(rf"^ALTER .*\bOWNER TO ({_NAME})$", re.DOTALL),
    re.compile(
        rf"^(?:GRANT|REVOKE) .*\b(?:TO|FROM) ({_NAME})(?: WITH GRANT OPTION| CASCADE)?(?: GRANTED BY {_NAME})?$",
        re.DOTALL,
    ),
    re.compile(rf"^ALTER DEFAULT PRIVILEGES FOR ROLE ({_NAME}) ", re.DOTALL),
    re.compile(rf"^ALTER DEFAULT PRIVILEGES .*\b(?:TO|FROM) ({_NAME})(?: WITH GRANT OPTION)?$", re.DOTALL),
    re.compile(rf"^ALTER ROLE ({_NAME}) IN DATABASE "),
    re.compile(rf"^CREATE USER MAPPING FOR ({_NAME}) "),
)
_POLICY = re.compile(
    rf"^CREATE POLICY {_NAME} ON \S.*? TO ({_NAME}(?:, {_NAME})*)(?: USING| WITH CHECK|$)", re.DOTALL
)
_NOBODY = {"PUBLIC", "CURRENT_USER", "SESSION_USER", "CURRENT_ROLE"}


def split_statements(text: str) -> Iterator[str]:
    """Each statement without its semicolon, comments and surrounding space."""
    statement: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == "\\" and not "".join(statement).strip():  # psql's own: \restrict, \connect
            position = (text.find("\n", position) + 1) or len(text)
            continue
        piece, position, ends = _next(text, position)
        if ends:
            if said := "".join(statement).strip():
                yield said
            statement = []
        else:
            statement.append(piece)


def _next(text: str, position: int) -> tuple[str, int, bool]:
    """The next piece, where it ends, and whether it is the end of a statement."""
    if body := _BODY.match(text, position):
        end = text.find(body[0], body.end())
        end = len(text) if end < 0 else end + len(body[0])
        return text[position:end], end, False
    found = _PIECE.match(text, position)
    if found is None:
        return text[position], position + 1, False
    if found.lastgroup == "skip":
        return "", found.end(), False
    return found[0], found.end(), found.lastgroup == "end"


def find_roles(text: str) -> set[str]:
    """Roles that the statements give something to, or take it from: owners, grantees, those of policies and mappings."""
    found: set[str] = set()
    for statement in split_statements(text):
        for pattern in _ROLES:
            if match := pattern.match(statement):
                found.add(match[1])
        if match := _POLICY.match(statement):
            found.update(re.findall(_NAME, match[1]))
    return {_unquoted(name) for name in found if name not in _NOBODY}


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
