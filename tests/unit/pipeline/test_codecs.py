"""Compression and its inverse; every codec opens with the stock tool of its name."""

import io
import random
import subprocess
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.api.backuppolicy import Codec, Compression
from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.codecs import build_compressor, open_plain
from strongroom.pipeline.digests import Digest
from strongroom.pipeline.reading import pump
from strongroom.pipeline.zstdframes import FrameFollower

CODECS: list[Codec] = ["zstd", "gzip", "none"]
TOOLS = {"zstd": ["zstd", "-dc"], "gzip": ["gzip", "-dc"], "none": ["cat"]}


class Collected:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.content += bytes(chunk)


def compressed(codec: Codec, chunks: list[bytes], level: int | None = None) -> bytes:
    compressor = build_compressor(Compression(codec=codec, level=level))
    return b"".join(compressor.compress(chunk) for chunk in chunks) + compressor.flush()


def plain(codec: Codec, stored: bytes, size: int = 1 << 16) -> bytes:
    collected = Collected()
    pump(open_plain(codec, io.BytesIO(stored)), collected, size=size)
    return collected.content


def outcome(codec: Codec, stored: bytes) -> bytes | None:
    """The plain bytes, None when the codec says that there are none; any other failure is raised."""
    try:
        return plain(codec, stored)
    except StrongroomError as error:
        if error.reason is Reason.ArtifactCorrupt:
            return None
        raise


@pytest.mark.parametrize("codec", CODECS)
@given(chunks=st.lists(st.binary(max_size=2000), max_size=5), size=st.integers(1, 4000))
def test_what_goes_in_comes_out(codec: Codec, chunks: list[bytes], size: int) -> None:
    assert plain(codec, compressed(codec, chunks), size) == b"".join(chunks)


@pytest.mark.parametrize("codec", CODECS)
def test_the_stock_tool_opens_it(codec: Codec) -> None:
    content = [bytes(range(256)) * 100] * 20
    opened = subprocess.run(TOOLS[codec], input=compressed(codec, content), capture_output=True, check=True)
    assert opened.stdout == b"".join(content)


def test_levels_are_the_codecs_own() -> None:
    chance = random.Random(1)
    content = [b" ".join(b"word%d" % int(chance.paretovariate(0.7)) for _ in range(50_000))]
    assert len(compressed("zstd", content, 19)) < len(compressed("zstd", content, 1))
    assert len(compressed("gzip", content, 9)) < len(compressed("gzip", content, 1))


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
def test_a_flipped_bit_is_told_or_shows_in_the_plain_bytes(codec: Codec) -> None:
    content = b"".join(b"row %d\n" % n for n in range(3000))
    stored = compressed(codec, [content])
    for position in range(0, len(stored), 37):
        broken = bytearray(stored)
        broken[position] ^= 4
        assert outcome(codec, bytes(broken)) != content or position < 10  # gzip's header has unused bytes


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
def test_a_cut_is_told_wherever_it_is_the_trailer_included(codec: Codec) -> None:
    content = b"".join(b"row %d\n" % (n * n) for n in range(3000))
    stored = compressed(codec, [content])
    for length in [*range(0, len(stored) - 20, 101), *range(len(stored) - 20, len(stored))]:
        assert outcome(codec, stored[:length]) is None


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
@pytest.mark.parametrize("addition", [b"\0", b"x", b"xyz", b"x" * 5000, bytes(2 << 20)])
def test_what_follows_the_end_is_told(codec: Codec, addition: bytes) -> None:
    assert outcome(codec, compressed(codec, [b"row " * 3000]) + addition) is None


@settings(deadline=None)
@given(
    content=st.binary(max_size=3000),
    repeat=st.integers(1, 200),
    level=st.integers(1, 19),
    cut=st.integers(1, 3000),
)
def test_the_end_of_any_zstd_frame_is_known(content: bytes, repeat: int, level: int, cut: int) -> None:
    stored = compressed("zstd", [content * repeat], level)
    for whole in (stored, zstandard.compress(content * repeat), stored * 2):
        follower = FrameFollower()
        for start in range(0, len(whole), cut):
            assert not follower.is_whole or start == len(stored)
            follower.write(whole[start : start + cut])
        assert follower.is_whole


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
def test_a_bomb_is_read_in_small_pieces(codec: Codec) -> None:
    size = 64 << 20
    bomb = zstandard.compress(bytes(size)) if codec == "zstd" else zlib.compress(bytes(size), wbits=31)
    digest = Digest()
    assert pump(open_plain(codec, io.BytesIO(bomb)), digest, size=1 << 16) == size
    assert digest.size_bytes == size
