"""Drive a stream: read it chunk by chunk into sinks."""

from strongroom.pipeline.sinks import CHUNK_BYTES, Readable, Sink


def pump(stream: Readable, *sinks: Sink, size: int = CHUNK_BYTES) -> int:
    """Read to the end, each chunk to every sink in turn; the number of bytes.

    The chunks are views of one buffer that is used again: a sink that keeps one must copy it.
    """
    buffer = memoryview(bytearray(size))
    total = 0
    while count := stream.readinto(buffer):
        for sink in sinks:
            sink.write(buffer[:count])
        total += count
    return total
