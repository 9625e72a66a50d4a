"""The stage between the plain stream and the stores."""

from strongroom.pipeline.codecs import Compressor
from strongroom.pipeline.sinks import Chunk, Sink


class CompressingSink:
    """Compresses what is written and passes it on. `close` must be called for the stream's end to be passed on."""

    def __init__(self, compressor: Compressor, *sinks: Sink) -> None:
        """Pass the stored bytes to these sinks, in this order."""
        self._compressor = compressor
        self._sinks = sinks

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        self._pass_on(self._compressor.compress(chunk))

    def close(self) -> None:
        """Pass on the stored stream's end."""
        self._pass_on(self._compressor.flush())

    def _pass_on(self, stored: bytes) -> None:
        if stored:
            for sink in self._sinks:
                sink.write(stored)
