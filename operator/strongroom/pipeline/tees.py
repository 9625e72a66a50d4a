"""One stream to several places."""

from strongroom.pipeline.sinks import Chunk, Sink


class Tee:
    """A sink that writes each chunk to every sink; the first failure ends it."""

    def __init__(self, *sinks: Sink) -> None:
        """Write to these, in this order."""
        self._sinks = sinks

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.write(chunk)
