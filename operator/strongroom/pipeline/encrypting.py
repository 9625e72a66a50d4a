"""The stage between compression and the stores, and its inverse. A cipher pulls and pushes: it gets a thread of its own."""

from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.errands import Errand
from strongroom.pipeline.pipes import AbandonedError, Abandonment, Pipe
from strongroom.pipeline.sinks import CHUNK_BYTES, Chunk, Readable, Sink
from strongroom.pipeline.tees import Tee


class _Counted:
    """A sink that counts what goes on to another."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.size_bytes = 0

    def write(self, chunk: Chunk) -> None:
        self._sink.write(chunk)
        self.size_bytes += len(chunk)


class EncryptingSink:
    """Encrypts what is written and passes it on, in another thread. `finish` passes on the end; without it nothing is whole.

    A failure of the cipher or of the sinks is raised to the writer. As a context manager it ends the thread on leaving.
    """

    def __init__(self, cipher: Cipher, *sinks: Sink) -> None:
        """Start the thread; it alone writes to these sinks, in this order."""
        self._cipher = cipher
        self._abandonment = Abandonment()
        self._pipe = Pipe(self._abandonment)
        self._taken = 0
        self._stored = _Counted(Tee(*sinks))
        self._errand = Errand("encrypting", self._run)

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        try:
            self._pipe.write(chunk)
        except AbandonedError:
            self._errand.finish()
            raise
        self._taken += len(chunk)

    def finish(self) -> None:
        """Return once all has been passed on. EncryptionFailed for a stream that is no longer than what it encrypts."""
        self._pipe.end()
        self._errand.finish()
        if self._stored.size_bytes <= self._taken:
            raise StrongroomError(
                Reason.EncryptionFailed,
                f"{self._cipher.kind} made {self._stored.size_bytes} bytes of {self._taken}: its output is cut short",
            )

    def abandon(self) -> None:
        """Let nobody wait any longer. Idempotent; without effect after `finish`."""
        self._abandonment.ask()

    def _run(self) -> None:
        try:
            self._encrypt()
        except BaseException:
            self._abandonment.ask()
            raise

    def _encrypt(self) -> None:
        self._cipher.encrypt(self._pipe, self._stored, self._abandonment)
        if not self._pipe.is_at_end:
            words = f"{self._cipher.kind} did not read all that was to be encrypted"
            raise StrongroomError(Reason.EncryptionFailed, words)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread."""
        self.abandon()
        self._errand.wait()


class _Gathered:
    """A sink that passes small chunks on as large ones."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._chunk = bytearray()

    def write(self, chunk: Chunk) -> None:
        self._chunk += chunk
        if len(self._chunk) >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        self._sink.write(self._chunk)
        self._chunk = bytearray()


class DecryptedStream:
    """What an encrypted stream holds. Its end is only given once the cipher has found all of the stored stream good.

    What is read before that end may be forged. As a context manager it ends its thread on leaving; `stored` is read by
    that thread alone until then, or until the end was given.
    """

    def __init__(self, cipher: Cipher, stored: Readable) -> None:
        """Start the thread."""
        self._cipher = cipher
        self._stored = stored
        self._abandonment = Abandonment()
        self._pipe = Pipe(self._abandonment)
        self._errand = Errand("decrypting", self._run)

    def readinto(self, buffer: memoryview) -> int:
        """See Readable. Raises what the cipher raises, at the latest in the end's place."""
        count = self._pipe.readinto(buffer)
        if not count:
            self._errand.finish()
        return count

    def _run(self) -> None:
        try:
            gathered = _Gathered(self._pipe)
            self._cipher.decrypt(self._stored, gathered, self._abandonment)
            gathered.flush()
        finally:
            self._pipe.end()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread."""
        self._abandonment.ask()
        self._errand.wait()
