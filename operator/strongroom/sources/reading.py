"""What every source gives: readings, each one plain stream that becomes one artifact."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from strongroom.api.result import ArtifactKind, TableRows, VerificationLevel
from strongroom.sources.notes import Notes

Chunk = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Contents:
    """What a check found in a whole stream. `tables` holds exact rows, and is None where they were not counted.

    Of a tar stream: its members, their unpacked length, files that changed while they were read, and what was left out.
    """

    table_count: int | None = None
    tables: list[TableRows] | None = None
    member_count: int | None = None
    member_bytes: int | None = None
    changed: Notes = field(default_factory=Notes)
    skipped: Notes = field(default_factory=Notes)

    @property
    def row_count(self) -> int | None:
        """Rows of all tables, None where they were not counted."""
        return None if self.tables is None else sum(table.rows for table in self.tables)


@dataclass(frozen=True)
class Origin:
    """What is known of a reading before it is read, for the manifest."""

    source: str
    kind: ArtifactKind
    database: str | None
    server_version: str | None = None
    client_version: str | None = None
    owner: str | None = None
    container: str | None = None
    """Name of the container, where a source reads several."""
    extensions: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    not_included: list[str] = field(default_factory=list)


class PlainStream(Protocol):
    """A plain stream being read. Leaving the context ends whatever produces it."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer; 0 at the end of what came, which says nothing of its completeness."""

    def finish(self) -> None:
        """Return only if the producer reports that all was written; raises the producer's failure otherwise."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the producer."""


class Check(Protocol):
    """A sink that sees the whole plain stream go by. Leaving the context ends whatever it started."""

    def write(self, chunk: Chunk) -> None:
        """See the next bytes."""

    def finish(self) -> Contents:
        """What was in the stream; VerificationFailed or DumpIncomplete unless it was whole and readable."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""


class Reading(Protocol):
    """One artifact to be."""

    @property
    def origin(self) -> Origin:
        """What is known of it."""

    @property
    def file_name(self) -> str:
        """Name of its file, without the codec's suffix; unique in its policy."""

    @property
    def estimated_bytes(self) -> int | None:
        """Rough length of its stream, for progress; None where nothing is known."""

    def start(self) -> PlainStream:
        """Begin to read."""

    def start_check(self, level: VerificationLevel) -> Check:
        """Begin to check a stream of this reading, to that level."""
