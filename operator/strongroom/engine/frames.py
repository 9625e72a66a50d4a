"""The two streams of an exec out of the one that the Engine sends: frames with a header of eight bytes.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach, "Stream format"
"""

import socket
import struct
import time
from collections.abc import Callable

_HEADER = struct.Struct(">BxxxL")
_STDOUT, _STDERR = 1, 2
_ROOM_BYTES = 1 << 20
_ERROR_BYTES = 20 << 10


def never() -> bool:
    """For streams that end with their connection alone."""
    return False


def nobody(_chunk: memoryview) -> None:
    """For streams whose stderr matters at its end alone."""


class Frames:
    """Reads stdout; keeps the end (20 KiB) of stderr as it comes by. Ends where the connection ends, wherever that is."""

    def __init__(
        self,
        connection: socket.socket,
        begun: bytes,
        is_over: Callable[[], bool] = never,
        hear: Callable[[memoryview], None] = nobody,
    ) -> None:
        """Read from there, after what has come already. `hear` gets all of stderr; `is_over`, asked then, may end the stream."""
        self.errors = bytearray()
        self._connection = connection
        self._is_over = is_over
        self._hear = hear
        self._room = memoryview(bytearray(max(_ROOM_BYTES, len(begun))))
        self._room[: len(begun)] = begun
        self._start, self._end = 0, len(begun)
        self.deadline: float | None = None
        self._kind = self._left = 0

    def readinto(self, buffer: memoryview) -> int:
        """Some of stdout: what has arrived, waiting for at least one byte; 0 at the end of what came.

        TimeoutError at the deadline (of time.monotonic), if there is one; ValueError for what is no frame.
        """
        filled, size = 0, len(buffer)
        while filled < size:
            if (self._left == 0 or self._start == self._end) and not self._have(wait=not filled):
                break
            count = min(self._left, self._end - self._start)
            if self._kind == _STDOUT:
                count = min(count, size - filled)
                buffer[filled : filled + count] = self._room[self._start : self._start + count]
                filled += count
            elif self._keep(count):
                break
            self._start += count
            self._left -= count
        return filled

    def _have(self, *, wait: bool) -> bool:
        """Whether a byte of a frame is there now; with `wait` it is False at the end only."""
        while self._left == 0:
            while self._end - self._start < _HEADER.size:
                if not self._receive(wait=wait):
                    return False
            self._kind, self._left = _HEADER.unpack_from(self._room, self._start)
            if self._kind not in {_STDOUT, _STDERR}:
                raise ValueError("the Engine sent something that is no frame")
            self._start += _HEADER.size
        return self._start < self._end or self._receive(wait=wait)

    def _receive(self, *, wait: bool) -> bool:
        rest = self._end - self._start
        self._room[:rest] = self._room[self._start : self._end]
        self._start, self._end = 0, rest
        if self.deadline is not None:
            self._limit(self.deadline - time.monotonic())
        try:
            count = self._connection.recv_into(self._room[rest:], 0, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        self._end += count
        return count > 0

    def _limit(self, seconds: float) -> None:
        """Let the next wait take that long at most."""
        if seconds <= 0:
            raise TimeoutError
        self._connection.settimeout(seconds)

    def _keep(self, count: int) -> bool:
        """Take some of stderr; whether that was the end of all."""
        chunk = self._room[self._start : self._start + count]
        self._hear(chunk)
        self.errors += chunk
        del self.errors[:-_ERROR_BYTES]
        return self._is_over()
