"""What is in an archive: pg_restore reads it while it streams by."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.sources.postgres.access import Restorer
from strongroom.sources.postgres.rowcounts import RowCounter, TableCount

_READ_BYTES = 1 << 20
_TABLE_DATA = " TABLE DATA "


class ArchiveReader:
    """A sink that feeds pg_restore and hands what it prints to `take`, in a thread. Kills it on leaving the context."""

    def __init__(self, restorer: Restorer, options: Sequence[str], take: Callable[[bytes], None]) -> None:
        """Start pg_restore on its stdin."""
        self._child = restorer.start_restore(options)
        self._take = take
        self._failure: Exception | None = None
        self._reads = True
        self._thread = threading.Thread(target=self._collect, name="pg_restore", daemon=True)
        self._thread.start()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Feed it, until it has read what it wanted: its exit code says whether that was all in order."""
        if self._reads:
            try:
                self._child.write(chunk)
            except BrokenPipeError:
                self._reads = False

    @property
    def is_over(self) -> bool:
        """Whether it has ended: it may want less than it is given."""
        return not self._thread.is_alive()

    def finish(self) -> None:
        """Wait until it has read and printed everything; VerificationFailed unless it found all in order."""
        self._child.close_stdin()
        self._thread.join()
        code = self._child.wait()
        if code != 0:
            raise StrongroomError(
                Reason.VerificationFailed,
                f"pg_restore cannot read the dump (exit code {code}): {excerpt(self._child.errors())}",
            )
        if self._failure is not None:
            raise self._failure

    def _collect(self) -> None:
        try:
            while printed := self._child.read(_READ_BYTES):
                self._take(printed)
        except Exception as error:  # noqa: BLE001 - carried over to `finish`, which raises it
            self._failure = error
            self._child.kill()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End pg_restore and the thread."""
        self._child.kill()
        self._thread.join()
        self._child.__exit__(kind, error, trace)


class ContentsReader:
    """A sink that reads an archive's table of contents (verification List)."""

    def __init__(self, restorer: Restorer) -> None:
        """Start pg_restore."""
        self._listing = bytearray()
        self._reader = ArchiveReader(restorer, ["--list"], self._listing.extend)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """See Sink."""
        self._reader.write(chunk)

    def finish(self) -> list[str]:
        """`schema table owner` of each table that has data in the archive, in its order."""
        self._reader.finish()
        return parse_table_data(self._listing.decode(errors="backslashreplace"))

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End pg_restore."""
        self._reader.__exit__(kind, error, trace)


class RowsReader:
    """A sink that reads an archive whole and counts every row (verification Full).

    Only the data is printed, so that no function body or comment can look like rows.
    """

    def __init__(self, restorer: Restorer) -> None:
        """Start pg_restore."""
        self._counter = RowCounter()
        self._reader = ArchiveReader(restorer, ["--data-only", "--file=-"], self._counter.write)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """See Sink."""
        self._reader.write(chunk)

    def finish(self, contents: Sequence[str]) -> list[TableCount]:
        """Rows of each table; VerificationFailed unless exactly the tables of the contents came, in their order."""
        self._reader.finish()
        tables = self._counter.finish()
        _compare(contents, tables)
        return tables

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End pg_restore."""
        self._reader.__exit__(kind, error, trace)


def parse_table_data(listing: str) -> list[str]:
    """`schema table owner` of each TABLE DATA line of `pg_restore --list`; names stand there without quotes."""
    lines = (line for line in listing.split("\n") if _TABLE_DATA in line and not line.startswith(";"))
    entries = (line.partition(_TABLE_DATA) for line in lines)
    return [names for head, _, names in entries if _is_entry(head)]


def _is_entry(head: str) -> bool:
    """Whether the text before ` TABLE DATA ` is `<id>; <oid> <oid>`, and not part of another object's name."""
    with contextlib.suppress(ValueError):
        identity, class_oid, oid = head.replace(";", "").split(" ")
        return identity.isdigit() and class_oid.isdigit() and oid.isdigit()
    return False


def _compare(contents: Sequence[str], tables: Sequence[TableCount]) -> None:
    pairs_fit = all(entry.startswith(_listed(table)) for entry, table in zip(contents, tables, strict=False))
    if len(contents) != len(tables) or not pairs_fit:
        raise StrongroomError(
            Reason.VerificationFailed,
            f"the dump's table of contents names {len(contents)} tables with data, {len(tables)} were read",
        )


def _listed(table: TableCount) -> str:
    """How `pg_restore --list` begins the table's entry: line breaks in names become spaces."""
    return f"{table.schema} {table.name} ".replace("\r", " ").replace("\n", " ")
