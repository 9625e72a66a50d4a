"""HTTP asked over a container's own loopback, by programs that are inside: nobody outside can reach it."""

import http.client
import io
from dataclasses import dataclass

from strongroom.api.errors import StrongroomError, excerpt
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.execstreams import ExecStream

MOST_BYTES = 1 << 20
"""Of an answer, so much is looked at."""
_READ_BYTES = 64 << 10
# bash opens connections by itself, and entry points of the official PostgreSQL images are its scripts; busybox has nc.
_FETCH = r"""
address=127.0.0.1 port=$1 path=$2 most=$3
ask() { printf 'GET %s HTTP/1.1\r\nHost: localhost:%s\r\nUser-Agent: strongroom\r\nConnection: close\r\n\r\n' "$path" "$port"; }
if command -v bash >/dev/null; then
  ask | exec bash -c 'exec 3<>"/dev/tcp/$0/$1" && cat >&3 && exec head -c "$2" <&3' "$address" "$port" "$most"
elif command -v nc >/dev/null; then
  ask | nc "$address" "$port" | head -c "$most"
else
  echo 'there is neither bash nor nc to ask with' >&2
  exit 127
fi
"""


@dataclass(frozen=True)
class LoopbackAnswer:
    """What came back."""

    status: int
    body: bytes


def fetch_inside(
    engine: Engine, container: Container, port: int, path: str, *, marker: str, seconds: float
) -> LoopbackAnswer:
    """GET it. OSError or http.client.HTTPException for what does not answer in time; EngineUnreachable, ContainerNotFound."""
    argv = ["sh", "-c", _FETCH, "strongroom", str(port), path, str(MOST_BYTES)]
    with ExecStream(engine, container, argv, marker=marker) as stream:
        stream.limit(seconds)
        given = bytearray()
        while chunk := stream.read(_READ_BYTES):
            given += chunk
        if not given:
            raise ConnectionError(_refusal(stream))
    return _parse(bytes(given))


def _refusal(stream: ExecStream) -> str:
    try:
        stream.wait()
    except StrongroomError as error:
        return error.message
    return excerpt(stream.errors().rpartition("bash: ")[2]) or "the connection was closed without an answer"


def _parse(given: bytes) -> LoopbackAnswer:
    answer = http.client.HTTPResponse(_Given(given))  # type: ignore[arg-type]  # all that it asks of a socket
    answer.begin()
    return LoopbackAnswer(answer.status, answer.read(MOST_BYTES))


class _Given:
    """Bytes in the place of a socket."""

    def __init__(self, given: bytes) -> None:
        self._given = given

    def makefile(self, *_: object) -> io.BytesIO:
        """See socket.socket."""
        return io.BytesIO(self._given)
