"""The Engine's frames, taken apart however they arrive."""

import socket
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.engine.frames import Frames


def _frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", kind, len(payload)) + payload


def _read(pieces: list[bytes], begun: bytes = b"", size: int = 7) -> tuple[bytes, bytes]:
    """stdout and stderr of what is sent in these pieces, read into a buffer of that size."""
    here, there = socket.socketpair()
    with here, there:
        for piece in pieces:
            there.sendall(piece)
        there.close()
        frames, read = Frames(here, begun), b""
        buffer = memoryview(bytearray(size))
        while count := frames.readinto(buffer):
            read += buffer[:count]
        return read, bytes(frames.errors)


@given(
    frames=st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=20),
    cuts=st.lists(st.integers(0, 1200), max_size=10),
    size=st.integers(1, 64),
)
def test_both_streams_come_apart_wherever_the_bytes_are_split(
    frames: list[tuple[int, bytes]], cuts: list[int], size: int
) -> None:
    whole = b"".join(_frame(kind, payload) for kind, payload in frames)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    first, *pieces = [whole[start:end] for start, end in pairwise(bounds)]
    expected = tuple(b"".join(payload for kind, payload in frames if kind == wanted) for wanted in (1, 2))
    assert _read(pieces, begun=first, size=size) == expected


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="no frame"):
        _read([b"OCI runtime exec failed"])


def test_only_the_end_of_a_long_stderr_is_kept() -> None:
    _, errors = _read([_frame(2, b"x" * 30_000), _frame(2, b"the end")])
    assert len(errors) < 30_000
    assert errors.endswith(b"the end")
