"""A proxy before a server that passes bytes on until one direction has had as many as a test says: then it cuts, or falls silent."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]
Act = Literal["cut", "stall"]


@dataclass
class Fault:
    """What happens to connections, as often as `times` says, once that many bytes have gone in that direction."""

    act: Act
    direction: Direction
    after_bytes: int
    times: int = 1_000_000

    def strikes(self, direction: Direction, count: int) -> bool:
        if direction != self.direction or count <= self.after_bytes or self.times == 0:
            return False
        self.times -= 1
        return True


@dataclass
class SshProxy:
    """A running proxy. `passed` counts the bytes of all connections by direction."""

    upstream_port: int
    port: int = 0
    fault: Fault | None = None
    passed: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    connections: int = 0
    sockets: list[socket.socket] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(
        self,
        act: Act,
        after_bytes: int,
        direction: Direction = "up",
        times: int = 1_000_000,
    ) -> None:
        self.fault = Fault(act, direction, after_bytes, times)

    def drop(self) -> None:
        """Cut every connection that there is."""
        with self.lock:
            for each in self.sockets:
                _reset(each)
            self.sockets.clear()

    def accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self.upstream_port))
                with self.lock:
                    self.sockets += [client, server]
                for direction, source, sink in (("up", client, server), ("down", server, client)):
                    pair = (direction, source, sink)
                    threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        count = 0
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                fault = self.fault
                if fault is not None and fault.strikes(direction, count + len(chunk)):
                    sink.sendall(chunk[: max(0, fault.after_bytes - count)])
                    if fault.act == "cut":
                        _reset(source)
                        _reset(sink)
                    return
                count += len(chunk)
                self.passed[direction] += len(chunk)
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)


def _reset(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextmanager
def ssh_proxy(upstream_port: int) -> Iterator[SshProxy]:
    """A proxy before the server on that port of loopback."""
    proxy = SshProxy(upstream_port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.port = listener.getsockname()[1]
        threading.Thread(target=proxy.accept, args=(listener,), daemon=True).start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            proxy.drop()
