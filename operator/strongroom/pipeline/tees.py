"""One stream to several places, of which some may fail alone."""

from collections.abc import Mapping

from strongroom.api.errors import StrongroomError
from strongroom.pipeline.sinks import Chunk, Sink


class FanOut:
    """A sink that writes each chunk to every named sink. A sink that fails gets no more; the others go on.

    When the last one has failed, its error is raised: there is nobody left to read for.
    """

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        """Begin with all sinks, of which there is at least one."""
        self._alive = dict(sinks)
        self.failures: dict[str, StrongroomError] = {}

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        for name, sink in list(self._alive.items()):
            try:
                sink.write(chunk)
            except StrongroomError as error:
                del self._alive[name]
                self.failures[name] = error
                if not self._alive:
                    raise


class Tee:
    """A sink that writes each chunk to every sink; the first failure ends it."""

    def __init__(self, *sinks: Sink) -> None:
        """Write to these, in this order."""
        self._sinks = sinks

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        for sink in self._sinks:
            sink.write(chunk)
