"""A session by psql, for a server that only its own container reaches: queries in, JSON out."""

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.sources.postgres.access import SESSION_SETTINGS, Process
from strongroom.sources.postgres.failures import reason_of_state

OPTIONS = (
    "--no-psqlrc",
    "--quiet",
    "--tuples-only",
    "--no-align",
    "--no-password",
    "--set=VERBOSITY=verbose",
)
_READ_BYTES = 64 << 10
_ANSWER_BYTES = 16 << 20
_BEGIN = f"\\encoding UTF8\n{SESSION_SETTINGS};\n"


class PsqlSession:
    """See Session. psql is started already; the first query finds out whether it could connect."""

    def __init__(
        self, process: Process, failure: Callable[[str], StrongroomError], refused: Callable[[str], str]
    ) -> None:
        """Take over psql; `failure` makes an error of what it writes to stderr, `refused` a text of the server's words."""
        self._process = process
        self._failure = failure
        self._refused = refused
        self._write(_BEGIN)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See Session. Names of columns do not matter, and may be there twice: objects are read as pairs."""
        mark = secrets.token_hex(16)
        # The queries are our own texts: nothing of a resource is in them.
        self._write(f"select coalesce(json_agg(q), '[]') from ({query}) q;\n\\echo {mark}\n")  # noqa: S608
        answer = self._read_to(f"{mark}\n".encode())
        if not answer.strip():
            raise self._refusal()
        found = json.loads(answer, object_pairs_hook=lambda pairs: tuple(value for _, value in pairs))
        return list(found)

    def run(self, statement: str) -> None:
        """See Session. psql tells in variables how it went."""
        begin, end = secrets.token_hex(16), secrets.token_hex(16)
        self._write(f"{statement};\n\\echo {begin} :ERROR :SQLSTATE :LAST_ERROR_MESSAGE\n\\echo {end}\n")
        failed, _, more = self._read_to(f"{end}\n".encode()).rpartition(f"{begin} ")[2].partition(" ")
        if failed == "false":
            return
        state, _, words = more.partition(" ")
        raise StrongroomError(reason_of_state(state), self._refused(excerpt(words)))

    def _write(self, text: str) -> None:
        try:
            self._process.write(text.encode())
        except BrokenPipeError as error:
            raise self._refusal() from error

    def _read_to(self, end: bytes) -> str:
        answer = b""
        while not answer.endswith(end):
            chunk = self._process.read(_READ_BYTES)
            if not chunk or len(answer) > _ANSWER_BYTES:
                raise self._refusal()
            answer += chunk
        return answer.removesuffix(end).decode(errors="backslashreplace")

    def _refusal(self) -> StrongroomError:
        """Why there is no answer; its words are complete once psql has ended."""
        self._process.close_stdin()
        try:
            self._process.wait()
        except StrongroomError as error:
            if error.reason is not Reason.DumpIncomplete:
                return error
        return self._failure(self._process.errors())

    def __enter__(self) -> Self:
        """See Session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See Session. psql is seen to end: then nothing has to be looked for."""
        self._process.close_stdin()
        if error is None:
            with suppress(StrongroomError):
                self._process.wait()
        self._process.__exit__(kind, error, trace)
