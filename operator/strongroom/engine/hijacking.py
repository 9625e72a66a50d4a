"""An exec's two-way stream: the connection that carries the start request, taken over from HTTP.

Written by hand, because the Docker client's own way loses what arrives in one packet with the answer's headers.
https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec/operation/ExecStart
"""

import json
import socket

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.engine.connecting import TIMEOUT_SECONDS, Engine

_HEADER_BYTES = 64 << 10
_BODY = b'{"Detach":false,"Tty":false}'
_TAKEN_OVER = {101, 200}
_NO_SUCH_CONTAINER = {404, 409}


def start_exec(engine: Engine, exec_id: str) -> tuple[socket.socket, bytes]:
    """Start it; the connection, and what of the stream has come already. The caller closes the connection.

    Raises ContainerNotFound when the container is gone, stopped or paused, else EngineUnreachable.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(TIMEOUT_SECONDS)
        connection.connect(engine.url.removeprefix("unix://"))
        connection.sendall(_request(engine, exec_id))
        begun = _take_over(connection)
        connection.settimeout(None)
    except (OSError, ValueError, IndexError) as error:
        connection.close()
        raise StrongroomError(
            Reason.EngineUnreachable, f"the Docker Engine at {engine.url} started no exec: {error}"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection, begun


def _request(engine: Engine, exec_id: str) -> bytes:
    lines = (
        f"POST /v{engine.api_version}/exec/{exec_id}/start HTTP/1.1",
        "Host: docker",
        "Content-Type: application/json",
        "Connection: Upgrade",
        "Upgrade: tcp",
        f"Content-Length: {len(_BODY)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + _BODY


def _take_over(connection: socket.socket) -> bytes:
    """What came behind the headers of an answer that agrees."""
    head, begun = _read_head(connection)
    status = int(head.split(b" ", 2)[1])
    if status not in _TAKEN_OVER:
        raise _refusal(status, begun + connection.recv(_HEADER_BYTES))
    return begun


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = connection.recv(_HEADER_BYTES)
        if not more or len(answer) > _HEADER_BYTES:
            raise ValueError("the answer has no end of headers")
        answer += more
    head, _, begun = answer.partition(b"\r\n\r\n")
    return head, begun


def _refusal(status: int, body: bytes) -> StrongroomError:
    try:
        words = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        words = body.decode(errors="replace")
    reason = Reason.ContainerNotFound if status in _NO_SUCH_CONTAINER else Reason.EngineUnreachable
    return StrongroomError(reason, f"the Docker Engine refuses to start a program: {excerpt(words)}")
