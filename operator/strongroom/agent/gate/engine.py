"""The Engine's side of the gate: a connection for each request, which the Engine closes after its answer."""

import http.client
import json
import socket

from strongroom.agent.gate.deciding import Passed

CONNECT_SECONDS = 30
_MOST_HEAD_BYTES = 64 << 10
_END = b"\r\n\r\n"


def connect(path: str) -> socket.socket:
    """A connection to the Engine's socket, which blocks without end: a service may take long to stop."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(CONNECT_SECONDS)
    connection.connect(path)
    connection.settimeout(None)
    return connection


def send(engine: socket.socket, passed: Passed) -> tuple[bytes, bool]:
    """Send a request in our own words. The beginning of the answer, and whether the connection is a stream now."""
    kind = ["Connection: Upgrade", "Upgrade: tcp"] if passed.upgrades else ["Connection: close"]
    lines = [f"{passed.method} {passed.target} HTTP/1.1", "Host: docker", *kind]
    if passed.method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(passed.body)}"]
    engine.sendall("\r\n".join(lines).encode() + _END + passed.body)
    if not passed.upgrades:
        return b"", False
    begun = _read_head(engine)
    if begun.startswith(b"HTTP/1.1 101 "):
        return begun, True
    # A refusal on a connection that stays open: without this its end would never come.
    engine.shutdown(socket.SHUT_WR)
    return begun, False


def container_of_exec(path: str, exec_id: str) -> str | None:
    """The container that an exec is in; None when there is no such exec."""
    return _ask(path, f"/exec/{exec_id}/json", "ContainerID")


def id_of(path: str, name: str) -> str | None:
    """The id of the container of that name; None when there is none."""
    return _ask(path, f"/containers/{name}/json", "Id")


def _ask(path: str, target: str, key: str) -> str | None:
    with connect(path) as connection:
        client = http.client.HTTPConnection("docker")
        client.sock = connection
        client.request("GET", target, headers={"Connection": "close"})
        answer = client.getresponse()
        found = json.loads(answer.read()) if answer.status == http.HTTPStatus.OK else {}
    return str(found[key]) if key in found else None


def _read_head(engine: socket.socket) -> bytes:
    read = b""
    while _END not in read and len(read) < _MOST_HEAD_BYTES:
        if not (more := engine.recv(_MOST_HEAD_BYTES)):
            break
        read += more
    return read
