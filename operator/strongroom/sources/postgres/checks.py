"""Whether a stream that goes by is what pg_dump or pg_dumpall writes, whole."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import TableRows, VerificationLevel
from strongroom.sources.postgres.access import Restorer
from strongroom.sources.postgres.archive import ContentsReader, RowsReader
from strongroom.sources.reading import Chunk, Contents

_LAST_LINE = b"-- PostgreSQL database cluster dump complete"
_TAIL_BYTES = 1024


class DatabaseCheck:
    """See Check. The table of contents is always read; with Full every byte is, and every row counted."""

    def __init__(self, restorer: Restorer, level: VerificationLevel) -> None:
        """Start pg_restore, twice for Full."""
        self._started = ExitStack()
        self._contents = self._started.enter_context(ContentsReader(restorer))
        self._rows = self._started.enter_context(RowsReader(restorer)) if level == "Full" else None

    def write(self, chunk: Chunk) -> None:
        """See Check."""
        self._contents.write(chunk)
        if self._rows is not None:
            self._rows.write(chunk)

    def finish(self) -> Contents:
        """See Check."""
        contents = self._contents.finish()
        if self._rows is None:
            return Contents(table_count=len(contents))
        counts = self._rows.finish(contents)
        return Contents(len(counts), [TableRows(table=count.quoted, rows=count.rows) for count in counts])

    def __enter__(self) -> Self:
        """See Check."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See Check."""
        self._started.__exit__(kind, error, trace)


class GlobalsCheck:
    """See Check. pg_dumpall ends its SQL with a line of its own."""

    def __init__(self, source: str) -> None:
        """Begin with nothing seen."""
        self._source = source
        self._tail = b""

    def write(self, chunk: Chunk) -> None:
        """See Check."""
        self._tail = (self._tail + bytes(chunk[-_TAIL_BYTES:]))[-_TAIL_BYTES:]

    def finish(self) -> Contents:
        """See Check."""
        if _LAST_LINE not in self._tail:
            raise StrongroomError(
                Reason.DumpIncomplete,
                f"source {self._source}: the SQL of roles and tablespaces has no end mark",
            )
        return Contents()

    def __enter__(self) -> Self:
        """See Check."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See Check."""
