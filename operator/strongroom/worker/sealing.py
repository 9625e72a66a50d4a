"""The way from the compressor to the stores: encrypted or in the clear, and what becomes known of the stored bytes on it."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from strongroom.pipeline.encrypting import EncryptingSink
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.sinks import Chunk, Sink
from strongroom.pipeline.tees import Tee


class Sealing:
    """A sink for the compressed stream of one artifact. `finish` must be called for its end to be passed on."""

    def __init__(self, cipher: Cipher | None, *sinks: Sink) -> None:
        """Pass the stored bytes to these sinks, in this order; without a cipher they are what is written."""
        authentication = None if cipher is None else cipher.authentication
        self._authenticator = None if authentication is None else authentication.start()
        every = [*sinks] if self._authenticator is None else [self._authenticator, *sinks]
        self._opened = ExitStack()
        self._encrypting = (
            None if cipher is None else self._opened.enter_context(EncryptingSink(cipher, *every))
        )
        self._sink: Sink = self._encrypting or Tee(*every)

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        self._sink.write(chunk)

    def finish(self) -> None:
        """Return once all has been passed on; raises what the cipher or a sink raised."""
        if self._encrypting is not None:
            self._encrypting.finish()

    def tag(self) -> str | None:
        """The stored stream's HMAC-SHA256, None where the cipher itself authenticates or there is none."""
        return None if self._authenticator is None else self._authenticator.tag()

    def abandon(self) -> None:
        """Let nobody wait any longer. Idempotent; without effect after `finish`."""
        if self._encrypting is not None:
            self._encrypting.abandon()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the cipher's thread."""
        self._opened.close()
