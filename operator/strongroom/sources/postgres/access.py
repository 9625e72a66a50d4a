"""What a server and its client programs must offer, whether they are reached over the network or inside a container."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from strongroom.api.errors import Reason

SESSION_SETTINGS = (
    "set statement_timeout = 120000; set search_path = pg_catalog; set standard_conforming_strings = on"
)
"""For every session. A database's owner may have set a search path by which names in our queries would mean functions of his."""


class Process(Protocol):
    """A program under way, on this machine or in a container. Leaving the context ends it for certain."""

    def readinto(self, buffer: memoryview) -> int:
        """Some of its stdout into the buffer; 0 at the end, which says nothing of its success."""

    def read(self, size: int) -> bytes:
        """Some of its stdout; empty at the end."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """All of the chunk to its stdin; BrokenPipeError when it no longer reads."""

    def close_stdin(self) -> None:
        """Tell it that this was all. Idempotent."""

    def wait(self) -> int:
        """Its exit code, once it has ended and all its stdout was read. Raises when its output is known to be cut."""

    def errors(self) -> str:
        """The end of what it wrote to stderr, complete after `wait`."""

    def kill(self) -> None:
        """End it and whatever it started. Idempotent."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""


class Session(Protocol):
    """One connection to one database. Leaving the context closes it."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of one SELECT: text, numbers, booleans. Raises the server's refusal as a row of the errors table."""

    def run(self, statement: str) -> None:
        """Carry out one statement that gives no rows; each is its own transaction unless `begin` was run before it.

        Raises as `rows` does, RestoreFailed for what has no row of its own. The session is of no more use then.
        """

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""


class Server(Protocol):
    """A server as one role reaches it."""

    @property
    def source(self) -> str:
        """Name of the source, for errors."""

    @property
    def user(self) -> str:
        """The role."""

    def open_session(self, database: str) -> Session:
        """Connect. Raises SourceUnreachable, AuthenticationFailed, DatabaseNotFound, … naming the source and the field."""

    def field_of(self, reason: Reason) -> str:
        """The field of the source that the reason speaks of, with what stands in it."""


class Programs(Protocol):
    """PostgreSQL's client programs of one version, with the way to one server."""

    @property
    def version(self) -> str:
        """As pg_dump says it."""

    def start(self, program: str, options: Sequence[str], database: str, *, stdin: bool = False) -> Process:
        """Begin to run pg_dump, pg_dumpall or pg_restore, for that database. Never asks for a password.

        With `stdin` it reads what is written to it.
        """


class Restorer(Protocol):
    """A pg_restore that only prints. It must not be older than the pg_dump that wrote what it reads."""

    def start_restore(self, options: Sequence[str]) -> Process:
        """Begin to read an archive from stdin. It gets no connection."""
