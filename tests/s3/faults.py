"""A proxy before an S3 server that passes everything on, until a request comes that a test wants to fail.

Plain HTTP both ways. A request is named by its operation, as permissions name it: PutObject, UploadPart, ListObjectsV2…
Listings may fall behind, too: see lateness.py.
"""

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from tests.s3.lateness import LateListings

Act = Literal["answer", "reset", "stall", "lose", "cut", "hang"]


@dataclass
class Fault:
    """What happens to requests of an operation, from the nth on (from 1), as often as `times` says.

    answer: with that status and code, and the server hears nothing. reset: the connection, before anything is read.
    stall: silence. lose: the server does it, and the connection is reset in place of the answer. cut: the answer breaks
    off after that many bytes of its body. hang: nothing more comes after them.
    """

    operation: str
    act: Act
    status: int = 503
    code: str = "SlowDown"
    after_bytes: int = 0
    nth: int = 1
    times: int = 1_000_000
    seen: int = 0

    def strikes(self, operation: str) -> bool:
        if operation != self.operation:
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


@dataclass
class FaultyProxy:
    """A running proxy. `asked` is the list of all operations that came; `ignored` headers are not passed on, nor signatures then."""

    upstream_port: int
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """The headers of the last request of each operation."""
    listings: LateListings = field(default_factory=LateListings)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, operation: str, act: Act = "answer", **more: int | str) -> None:
        self.faults.append(Fault(operation, act, **more))  # type: ignore[arg-type]

    def find(self, operation: str) -> Fault | None:
        with self.lock:
            self.asked.append(operation)
            return next((fault for fault in self.faults if fault.strikes(operation)), None)


def operation_of(method: str, target: str) -> str:
    """The operation that a request in path style asks for."""
    url = urlsplit(target)
    query = parse_qs(url.query, keep_blank_values=True)
    has_key = url.path.strip("/").count("/") > 0
    if not has_key:
        special = {"versions": "ListObjectVersions", "versioning": "GetBucketVersioning", "object-lock": "GetObjectLockConfiguration"}  # fmt: skip
        return next((name for word, name in special.items() if word in query), "ListObjectsV2")
    if "uploads" in query:
        return "CreateMultipartUpload"
    if "uploadId" in query:
        return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}[
            method
        ]
    return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[method]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
        pass

    def _handle(self) -> None:
        operation = operation_of(self.command, self.path)
        self.proxy.headers[operation] = dict(self.headers.items())
        fault = self.proxy.find(operation)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match fault.act if fault else "pass":
            case "reset":
                self._reset()
            case "stall":
                self.proxy.released.wait(60)
                self._reset()
            case "answer":
                assert fault is not None
                self._answer(fault.status, fault.code)
            case "lose":
                self._ask(body)
                self._reset()
            case _:
                answer, content = self._ask(body)
                content = self.proxy.listings.pass_on(operation, self.path, answer.status, content)
                self._pass_on(answer, content, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815  the base class calls these

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream_port, timeout=30)
        ignored = {
            "expect",
            "connection",
            *self.proxy.ignored,
            *(["authorization"] if self.proxy.ignored else []),
        }
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ignored}
        upstream.request(self.command, self.path, body=body, headers=headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        return answer, content

    def _pass_on(self, answer: http.client.HTTPResponse, content: bytes, fault: Fault | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "date", "server"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if fault is None:
            self.wfile.write(content)
            return
        self.wfile.write(content[: fault.after_bytes])
        self.wfile.flush()
        if fault.act == "hang":
            self.proxy.released.wait(60)
        self._reset()

    def _answer(self, status: int, code: str) -> None:
        xml = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by a test</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(xml)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(xml)

    def _reset(self) -> None:
        """End the connection by RST, as a crash of the server does."""
        self.wfile.flush()
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is what these tests are about."""


@contextmanager
def faulty_proxy(upstream_port: int) -> Iterator[FaultyProxy]:
    """A proxy before the server on that port of loopback."""
    proxy = FaultyProxy(upstream_port)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = _Server(("127.0.0.1", 0), handler)
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
