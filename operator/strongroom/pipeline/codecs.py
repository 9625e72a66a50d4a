"""Compression and its inverse. Each codec's files open with the stock tool of its name."""

import zlib
from typing import IO, Protocol, cast

import zstandard

from strongroom.api.backuppolicy import Codec, Compression
from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.sinks import CHUNK_BYTES, Chunk, Readable
from strongroom.pipeline.zstdframes import FrameFollower

SUFFIXES: dict[Codec, str] = {"zstd": ".zst", "gzip": ".gz", "none": ""}
ZSTD_LEVEL = 3
GZIP_LEVEL = 6
_JOB_BYTES = 2 << 20
"""What one thread of zstd is given: its own choice, 8 MiB at level 3, takes five times the memory for no smaller a result."""
_GZIP_WINDOW = 31  # zlib's way to say: with gzip's header and trailer


class Compressor(Protocol):
    """Turns a plain stream into a stored one. Lets other threads run while it works."""

    def compress(self, chunk: Chunk) -> bytes:
        """What is ready to be stored after this chunk; often nothing."""

    def flush(self) -> bytes:
        """The end of the stored stream."""


class _Plain:
    def compress(self, chunk: Chunk) -> bytes:
        return bytes(chunk)

    def flush(self) -> bytes:
        return b""


def build_compressor(compression: Compression, threads: int = 0) -> Compressor:
    """A fresh compressor. zstd frames carry a checksum; `threads` > 0 lets zstd use that many beside the caller's."""
    if compression.codec == "zstd":
        job = {"job_size": _JOB_BYTES} if threads else {}
        parameters = zstandard.ZstdCompressionParameters.from_level(
            compression.level or ZSTD_LEVEL, write_checksum=True, threads=threads, **job
        )
        return zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    if compression.codec == "gzip":
        return zlib.compressobj(compression.level or GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return _Plain()


def open_plain(codec: Codec, stored: Readable) -> Readable:
    """The plain stream of a stored one, in bounded memory however well it was compressed.

    Reading raises ArtifactCorrupt when the stored stream is not the codec's from its first byte to its last: also when
    it was cut behind the last plain byte, and when anything follows its end. With codec none there is no end to see.
    """
    if codec == "zstd":
        return _ZstdReader(stored)
    return _GzipReader(stored) if codec == "gzip" else stored


class _ZstdReader:
    """The zstd stream's plain bytes."""

    def __init__(self, stored: Readable) -> None:
        self._frames = FrameFollower()
        source = cast("IO[bytes]", _Chunks(stored, self._frames))  # the library asks for `read` alone
        self._reader = zstandard.ZstdDecompressor().stream_reader(
            source, read_size=CHUNK_BYTES, read_across_frames=True
        )

    def readinto(self, buffer: memoryview) -> int:
        try:
            count = self._reader.readinto(buffer)
        except zstandard.ZstdError as error:
            raise _corrupt("zstd", error) from error
        if not count and not self._frames.is_whole:
            raise _corrupt("zstd", "it ends inside a frame")
        return count


class _GzipReader:
    """The gzip stream's plain bytes (one member, as we write it)."""

    def __init__(self, stored: Readable) -> None:
        self._stored = _Chunks(stored)
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)

    def readinto(self, buffer: memoryview) -> int:
        plain = b""
        while not plain:
            chunk = self._inflater.unconsumed_tail or self._stored.read(CHUNK_BYTES)
            if self._inflater.eof:
                return self._end(chunk)
            if not chunk:
                raise _corrupt("gzip", "it ends early")
            try:
                plain = self._inflater.decompress(chunk, len(buffer))
            except zlib.error as error:
                raise _corrupt("gzip", error) from error
        buffer[: len(plain)] = plain
        return len(plain)

    def _end(self, further: bytes) -> int:
        if further or self._inflater.unused_data:
            raise _corrupt("gzip", "something follows its end")
        return 0


class _Chunks:
    """`read` as the codecs' libraries want it. What is read is shown to the follower, if there is one."""

    def __init__(self, stored: Readable, follower: FrameFollower | None = None) -> None:
        self._stored = stored
        self._follower = follower
        self._buffer = memoryview(bytearray(CHUNK_BYTES))

    def read(self, size: int) -> bytes:
        count = self._stored.readinto(self._buffer[:size])
        chunk = bytes(self._buffer[:count])
        if self._follower is not None:
            self._follower.write(chunk)
        return chunk


def _corrupt(codec: str, error: Exception | str) -> StrongroomError:
    return StrongroomError(
        Reason.ArtifactCorrupt, f"the stored bytes are not a whole {codec} stream: {error}"
    )
