"""Bytes from one socket to another through a pipe in the kernel (splice(2)): this process never sees them."""

import contextlib
import fcntl
import os
import socket

PIPE_BYTES = 1 << 20


def pump(source: socket.socket, target: socket.socket) -> None:
    """Until the source ends or the target is gone; then the target is told that nothing more comes."""
    reading, writing = os.pipe()
    try:
        with contextlib.suppress(OSError):  # beyond what this user may have: the default size will do
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        with contextlib.suppress(OSError):  # a reset of either side is its end
            while moved := os.splice(source.fileno(), writing, PIPE_BYTES):
                while moved:
                    moved -= os.splice(reading, target.fileno(), moved)
    finally:
        os.close(reading)
        os.close(writing)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
