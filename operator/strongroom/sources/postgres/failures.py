"""What the server or the network refused, as a row of the errors table that names the source and its field."""

import os
import re
import select
import time
from contextlib import suppress

import psycopg
from psycopg import pq

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.sources.postgres.connection import CONNECT_SECONDS, Connection

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES = {
    "28000": Reason.AuthenticationFailed,
    "28P01": Reason.AuthenticationFailed,
    "3D000": Reason.DatabaseNotFound,
    "42501": Reason.PermissionDenied,
    "55P03": Reason.LockTimeout,
}
_STATEMENT_STATES = {
    "42501": Reason.PermissionDenied,
    "42P04": Reason.TargetExists,
    "53100": Reason.NotEnoughSpace,
    "55006": Reason.TargetInUse,
}
_LOST = ("08", "57P")
"""Beginnings of the states of a connection that is gone, or of a server that goes down."""
_FIELDS = {
    Reason.DatabaseNotFound: "postgres.databases",
    Reason.PermissionDenied: "postgres.user",
    Reason.SourceUnreachable: "postgres.host, postgres.port",
    Reason.TlsFailed: "postgres.tls",
}
_ERROR_RESPONSE = re.compile(r'\tErrorResponse\t.*? C "([0-9A-Z]{5})" M "(.*?)" (?:D|H|F) "')
_PREFIX = re.compile(r"^(connection failed: )?(connection to server .*? failed: )?(FATAL: +)?")


_WORDS = (
    (
        re.compile(
            r"authentication failed|no password supplied|no pg_hba\.conf entry|role \".*\" does not exist"
        ),
        Reason.AuthenticationFailed,
    ),
    (re.compile(r"database \".*\" does not exist"), Reason.DatabaseNotFound),
    (re.compile(r"permission denied"), Reason.PermissionDenied),
    (re.compile(r"psql: (not found|inaccessible)|exec: psql"), Reason.ClientMissing),
)
_VERBOSE = re.compile(r"^[^\s:]+:  ([0-9A-Z]{5}): ", re.MULTILINE)


def reason_of_state(state: str) -> Reason:
    """The reason that a statement was refused for, by the server's code."""
    if state.startswith(_LOST):
        return Reason.SourceUnreachable
    return _STATEMENT_STATES.get(state, Reason.RestoreFailed)


def reason_of_words(words: str) -> Reason:
    """The reason that psql's stderr speaks of: by the code where it tells one (VERBOSITY verbose), else by English words."""
    verbose = _VERBOSE.search(words)
    if verbose is not None:
        return _STATES.get(verbose[1], Reason.SourceUnreachable)
    return next((reason for pattern, reason in _WORDS if pattern.search(words)), Reason.SourceUnreachable)


def connection_failure(connection: Connection, database: str, error: psycopg.Error) -> StrongroomError:
    """Why no connection came about, or why a query failed. Asks the server once more for the code if libpq kept it."""
    state, words = error.sqlstate, _PREFIX.sub("", excerpt(str(error)))
    if state is None:
        state, words = _server_refusal(connection.conninfo(database)) or (None, words)
    reason = _reason(state, words)
    return StrongroomError(
        reason, f"source {connection.source}: {excerpt(words)} ({field_of(connection, reason)})"
    )


def statement_failure(connection: Connection, database: str, error: psycopg.Error) -> StrongroomError:
    """Why a statement that changes something was refused."""
    if error.sqlstate is None:
        return connection_failure(connection, database, error)
    words = excerpt(str(error))
    return StrongroomError(
        reason_of_state(error.sqlstate), f'source {connection.source}: database "{database}": {words}'
    )


def field_of(connection: Connection, reason: Reason) -> str:
    """The field of the source that the reason speaks of, with what stands in it."""
    if reason is Reason.AuthenticationFailed:
        secret = connection.password_secret
        if secret is None:
            return "postgres.user; no postgres.passwordSecret is set"
        return f"postgres.passwordSecret: Secret {secret.name}, key {secret.key}"
    if reason is Reason.SourceUnreachable:
        return f"postgres.host {connection.host}, postgres.port {connection.port}"
    return _FIELDS.get(reason, "postgres")


def _reason(state: str | None, words: str) -> Reason:
    if state is not None:
        return _STATES.get(state, Reason.SourceUnreachable)
    if re.search(r"\bSSL\b|certificate|sslmode", words):
        return Reason.TlsFailed
    return Reason.AuthenticationFailed if "no password supplied" in words else Reason.SourceUnreachable


def _server_refusal(conninfo: str) -> tuple[str, str] | None:
    """SQLSTATE and text of the server's refusal to let us in, None if it does not refuse.

    libpq gives only the text of a failed connection, in the server's language. Its trace of the protocol has the code;
    the trace stays in memory and only its error line is looked at.
    """
    trace = os.memfd_create("strongroom-trace")
    try:
        _connect_traced(conninfo, trace)
        found = _ERROR_RESPONSE.search(os.pread(trace, 64 << 10, 0).decode(errors="replace"))
        return None if found is None else (found[1], found[2])
    finally:
        os.close(trace)


def _connect_traced(conninfo: str, trace: int) -> None:
    connection = pq.PGconn.connect_start(conninfo.encode())
    with suppress(psycopg.Error):
        connection.trace(trace)
    deadline = time.monotonic() + CONNECT_SECONDS
    while (state := connection.connect_poll()) in {pq.PollingStatus.READING, pq.PollingStatus.WRITING}:
        wait = max(0.0, deadline - time.monotonic())
        reads = [connection.socket] if state == pq.PollingStatus.READING else []
        writes = [connection.socket] if state == pq.PollingStatus.WRITING else []
        if not any(select.select(reads, writes, [], wait)):
            break
    with suppress(psycopg.Error):
        connection.untrace()  # writes out what is buffered
    connection.finish()
