"""Rows of each table, counted from the SQL that `pg_restore --data-only` makes of an archive.

In COPY's text format a row is exactly one line: line breaks in values are escaped. Only statements are parsed, with
their quotes respected, and rows are only looked through for the end mark; so no value and no name can pass for a COPY.
"""

import re
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError

_END = b"\n\\.\n"
_SKIPPED = re.compile(rb"(?:\s++|--[^\n]*+\n|\\[^\n]*+\n)*+")
"""Blank lines, comments and psql's own commands (`\\restrict`) between statements."""
_STATEMENT = re.compile(rb"""(?:[^"';]++|"[^"]*+"|'[^']*+')++;""")
_NAME = rb"""(?:"(?:[^"]|"")*+"|[^\s".(]++)"""
_COPY = re.compile(rb"COPY (" + _NAME + rb")\.(" + _NAME + rb")\s.*\bFROM stdin;\Z", re.DOTALL)
_CUT = (b"-", b"\\")
"""What a comment or command begins with whose end is not yet here. No statement does."""
_STATEMENT_BYTES = 64 << 20
"""No statement outside of rows is longer: a large object is written in pieces of 16 KiB, a COPY names 1,600 columns."""


@dataclass(frozen=True)
class TableCount:
    """One table in the archive. `quoted` is its qualified name as SQL writes it."""

    schema: str
    name: str
    quoted: str
    rows: int


class RowCounter:
    """A sink for that SQL. Memory is bounded by the longest statement, not by rows."""

    def __init__(self) -> None:
        """Begin between statements."""
        self.tables: list[TableCount] = []
        self._rest = b""
        self._table: tuple[str, str, str] | None = None
        self._rows = 0
        self._at_line_start = False

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        data, position = (self._rest + chunk if self._rest else chunk), 0
        self._rest = b""
        while position < len(data):
            if self._table is None:
                position = self._read_statement(data, position)
            else:
                position = self._read_rows(data, position)

    def finish(self) -> list[TableCount]:
        """Every table in the order of the archive; VerificationFailed if the SQL ended in the middle of something."""
        skipped = _SKIPPED.match(self._rest)
        if self._table is not None or skipped is None or skipped.end() != len(self._rest):
            raise StrongroomError(
                Reason.VerificationFailed, "pg_restore's reading of the archive ended early"
            )
        return self.tables

    def _read_statement(self, data: bytes, position: int) -> int:
        """Position after the next statement; the end of the data, kept in `_rest`, if it is not yet complete."""
        skipped = _SKIPPED.match(data, position)
        start = position if skipped is None else skipped.end()
        statement = None if data[start : start + 1] in _CUT else _STATEMENT.match(data, start)
        if statement is None:
            return self._keep(data, position)
        copy = _COPY.match(statement[0]) if statement[0].startswith(b"COPY ") else None
        if copy is None:
            return statement.end()
        if statement.end() == len(data):
            return self._keep(data, position)
        self._table = _unquoted(copy[1]), _unquoted(copy[2]), _text(copy[1] + b"." + copy[2])
        self._rows, self._at_line_start = 0, True
        return statement.end() + 1

    def _read_rows(self, data: bytes, position: int) -> int:
        """Position after the table's end mark, or the end of the data."""
        if self._at_line_start and data.startswith(_END[1:], position):
            return self._close_table(position + len(_END) - 1)
        end = data.find(_END, position)
        if end >= 0:
            self._rows += data.count(b"\n", position, end + 1)
            return self._close_table(end + len(_END))
        self._rows += data.count(b"\n", position)
        last = data.rfind(b"\n", position)
        self._at_line_start = self._at_line_start if last < 0 else True
        begun = data[max(last + 1, position) :] if len(data) - max(last + 1, position) < len(_END) else b"row"
        if self._at_line_start and _END[1:].startswith(begun):
            self._rest = begun  # nothing, or a line that may become the end mark
        else:
            self._at_line_start = False
        return len(data)

    def _close_table(self, position: int) -> int:
        if self._table is not None:
            self.tables.append(TableCount(*self._table, self._rows))
        self._table = None
        return position

    def _keep(self, data: bytes, position: int) -> int:
        self._rest = data[position:]
        if len(self._rest) > _STATEMENT_BYTES:
            raise StrongroomError(
                Reason.VerificationFailed, "pg_restore wrote something that is no SQL statement"
            )
        return len(data)


def _unquoted(name: bytes) -> str:
    if name.startswith(b'"'):
        name = name[1:-1].replace(b'""', b'"')
    return _text(name)


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
