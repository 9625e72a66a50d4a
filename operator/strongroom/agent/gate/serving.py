"""The gate's socket: one request a connection, one thread each. Streams of execs are spliced in the kernel."""

import logging
import os
import socket
import threading
import time

from strongroom.agent.gate.deciding import decide
from strongroom.agent.gate.engine import connect, container_of_exec, id_of, send
from strongroom.agent.gate.pumping import pump
from strongroom.agent.gate.requests import MOST_HEAD_BYTES, Head, Refused, parse_head
from strongroom.agent.gate.rules import Rules

MOST_CONNECTIONS = 64
REQUEST_SECONDS = 30
_END = b"\r\n\r\n"
_READ_BYTES = 64 << 10

log = logging.getLogger(__name__)


def serve(rules: Rules) -> None:
    """Serve in the working folder until the rules' time is over."""
    os.umask(0o077)
    places = threading.BoundedSemaphore(MOST_CONNECTIONS)
    end = time.monotonic() + rules.seconds
    with socket.socket(socket.AF_UNIX) as listener:
        # A relative name: absolute ones end at 108 characters. It has its own name only once it listens.
        listener.bind(f".{rules.socket}")
        listener.listen(MOST_CONNECTIONS)
        os.rename(f".{rules.socket}", rules.socket)  # noqa: PTH104  a name in the working folder
        while (left := end - time.monotonic()) > 0:
            listener.settimeout(left)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return
            if not places.acquire(timeout=max(0.0, end - time.monotonic())):
                return
            threading.Thread(target=_attend, args=(connection, rules, places), daemon=True).start()


def _attend(client: socket.socket, rules: Rules, places: threading.BoundedSemaphore) -> None:
    try:
        with client:
            client.settimeout(REQUEST_SECONDS)
            try:
                _pass_on(client, rules)
            except Refused as refused:
                log.warning("refused: %s", refused)
                _answer(client, refused)
    except OSError as error:
        log.info("a connection ended: %s", error)
    finally:
        places.release()


def _pass_on(client: socket.socket, rules: Rules) -> None:
    head, rest = _read_head(client)
    while len(rest) < head.length:
        if not (more := client.recv(_READ_BYTES)):
            return
        rest += more
    body, early = rest[: head.length], rest[head.length :]
    passed = decide(head, body, rules, lambda exec_id: _container_of_exec(rules, exec_id))
    if early and not passed.upgrades:
        raise Refused(400, "one request a connection")
    with connect(rules.engine) as engine:
        begun, is_stream = send(engine, passed)
        client.settimeout(None)
        client.sendall(begun)
        if not is_stream:
            # Nothing more of the client's goes to the Engine: it would be another request.
            pump(engine, client)
            return
        engine.sendall(early)
        inward = threading.Thread(target=pump, args=(client, engine), daemon=True)
        inward.start()
        pump(engine, client)
        # The exec has ended: the other direction must not wait for a client that says nothing.
        client.shutdown(socket.SHUT_RD)
        inward.join()


def _container_of_exec(rules: Rules, exec_id: str) -> str | None:
    """Its id; of a throw-away container, whose id nobody knew before, its name."""
    found = container_of_exec(rules.engine, exec_id)
    names = (name for name in rules.drills if found is not None and id_of(rules.engine, name) == found)
    return next(names, found)


def _read_head(client: socket.socket) -> tuple[Head, bytes]:
    """The head, and what came behind it."""
    read = b""
    while _END not in read:
        if len(read) > MOST_HEAD_BYTES:
            raise Refused(431, "the head is too long")
        if not (more := client.recv(_READ_BYTES)):
            raise Refused(400, "the request ends early")
        read += more
    head, _, rest = read.partition(_END)
    if len(head) > MOST_HEAD_BYTES:
        raise Refused(431, "the head is too long")
    return parse_head(head), rest


def _answer(client: socket.socket, refused: Refused) -> None:
    """In the Engine's own form, so that its clients understand."""
    body = f'{{"message": "strongroom\'s gate: {refused}"}}'.encode()
    lines = (
        f"HTTP/1.1 {refused.status} Refused",
        "Content-Type: application/json",
        "Connection: close",
        f"Content-Length: {len(body)}",
    )
    client.sendall("\r\n".join(lines).encode() + _END + body)
