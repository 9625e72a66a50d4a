"""A server reached over the network: sessions by psycopg, programs of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import TupleRow

from strongroom.api.errors import Reason
from strongroom.programs.children import Child
from strongroom.sources.postgres.access import SESSION_SETTINGS
from strongroom.sources.postgres.clients import Client
from strongroom.sources.postgres.connection import Connection
from strongroom.sources.postgres.failures import connection_failure, field_of, statement_failure


@dataclass(frozen=True)
class NetworkServer:
    """See Server."""

    connection: Connection

    @property
    def source(self) -> str:
        """See Server."""
        return self.connection.source

    @property
    def user(self) -> str:
        """See Server."""
        return self.connection.user

    def open_session(self, database: str) -> "NetworkSession":
        """See Server."""
        try:
            session = psycopg.connect(self.connection.conninfo(database), autocommit=True)
            session.execute(SESSION_SETTINGS)
        except psycopg.Error as error:
            raise connection_failure(self.connection, database, error) from error
        return NetworkSession(self.connection, session)

    def field_of(self, reason: Reason) -> str:
        """See Server."""
        return field_of(self.connection, reason)


class NetworkSession:
    """See Session."""

    def __init__(self, connection: Connection, session: "psycopg.Connection[TupleRow]") -> None:
        """Take over the session."""
        self._connection = connection
        self._session = session

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See Session."""
        try:
            return self._session.execute(query.encode()).fetchall()
        except psycopg.Error as error:
            raise connection_failure(self._connection, self._session.info.dbname, error) from error

    def run(self, statement: str) -> None:
        """See Session."""
        try:
            self._session.execute(statement.encode())
        except psycopg.Error as error:
            raise statement_failure(self._connection, self._session.info.dbname, error) from error

    def __enter__(self) -> Self:
        """See Session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See Session."""
        self._session.close()


@dataclass(frozen=True)
class HostPrograms:
    """See Programs: those of this machine."""

    client: Client
    connection: Connection

    @property
    def version(self) -> str:
        """See Programs."""
        return self.client.version

    def start(self, program: str, options: Sequence[str], database: str, *, stdin: bool = False) -> Child:
        """See Programs."""
        argv: list[str | Path] = [self.client.program(program), "--no-password", *options]
        return Child(argv, self.connection.environment(database), stdin=stdin)
