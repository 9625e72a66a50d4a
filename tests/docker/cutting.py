"""A way to an Engine that cuts what an exec says after so many bytes, as a broken daemon or proxy does."""

import contextlib
import socket
import socketserver
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 64 << 10


class CuttingProxy:
    """Serves a socket in `folder` as a context manager. Only the streams of started execs are counted and cut.

    `has_cut`: whether the last of them had more to say. Streams of equal content differ in length by their frames.
    """

    def __init__(self, folder: Path, engine: Path) -> None:
        self.socket = folder / "cut.sock"
        self.cut_after: int | None = None
        self.relayed_bytes = 0
        self.has_cut = False
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._relay(self.request, engine)

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self._server = Server(str(self.socket), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def _relay(self, client: socket.socket, engine: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(str(engine))
            first = client.recv(_CHUNK_BYTES)
            is_exec = b"/exec/" in first and b"/start HTTP/1.1" in first
            server.sendall(first)
            upward = threading.Thread(target=_copy, args=(client, server), daemon=True)
            upward.start()
            if is_exec:
                self._copy_counted(server, client)
            else:
                _copy(server, client)
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            upward.join()

    def _copy_counted(self, source: socket.socket, target: socket.socket) -> None:
        limit, self.relayed_bytes, self.has_cut = self.cut_after, 0, False
        while limit is None or self.relayed_bytes < limit:
            size = _CHUNK_BYTES if limit is None else min(_CHUNK_BYTES, limit - self.relayed_bytes)
            chunk = source.recv(size)
            if not chunk:
                return
            target.sendall(chunk)
            self.relayed_bytes += len(chunk)
        self.has_cut = bool(source.recv(1))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
