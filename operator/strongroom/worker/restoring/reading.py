"""Artifacts read back from the first good copy: every stored and plain byte digested; a copy that fails is passed over."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self, TypeVar

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.api.restoreorder import Opening
from strongroom.pipeline.codecs import open_plain
from strongroom.pipeline.digests import Fingerprint
from strongroom.pipeline.encrypting import DecryptedStream
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.sinks import CHUNK_BYTES, Chunk, Readable
from strongroom.sources.reading import Contents
from strongroom.sources.restoration import Intake
from strongroom.stores.store import Store
from strongroom.worker.copying import named
from strongroom.worker.progress import ProgressLines
from strongroom.worker.readback import Written, read_back
from strongroom.worker.restoring.choosing import Chosen
from strongroom.worker.restoring.keys import TRIAL_BYTES, find_cipher
from strongroom.worker.restoring.twice import ProvedStore
from strongroom.worker.task import Task

Result = TypeVar("Result")
Told_co = TypeVar("Told_co", covariant=True)
Prepare = Callable[[], AbstractContextManager[Intake]]
Step = Callable[[], AbstractContextManager[None]]

log = logging.getLogger(__name__)


class Head(Protocol[Told_co]):
    """A sink that wants the beginning of a stream alone."""

    is_over: bool

    def write(self, chunk: Chunk) -> None:
        """See Sink."""

    def finish(self) -> Told_co:
        """What the beginning tells."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End whatever was started."""


class Shelf:
    """The files of one recovery point, to be read. `notes` tells what was wrong with copies."""

    def __init__(self, task: Task, chosen: Chosen, opening: Opening) -> None:
        """Find the key that opens them. Raises DecryptionFailed."""
        self.chosen = chosen
        self.notes = list(chosen.notes)
        self.store: str | None = None
        """The store that was read from last."""
        self._progress: ProgressLines = task.progress
        self._cipher: Cipher | None = None
        if chosen.manifest.encryption is not None:
            first = chosen.manifest.files[0]
            head = self._each_copy(first, lambda store: self._read_stored(store, first))
            self._cipher = find_cipher(task, chosen, opening.decryption_keys, head)

    @classmethod
    def without_copies(cls, task: Task, chosen: Chosen) -> Self:
        """One of which nothing can be read: what was made of it can still be put back."""
        bare = chosen.manifest.model_copy(update={"encryption": None})
        return cls(task, replace(chosen, manifest=bare, stores={}), Opening())

    @property
    def has_copies(self) -> bool:
        """Whether anything can be read."""
        return bool(self.chosen.stores)

    def read_into(self, file: ManifestFile, prepare: Prepare, fetching: Step, restoring: Step) -> None:
        """Give the whole of a file to an intake, and finish that; begin again with the next copy when one fails.

        `fetching` is around the reading, `restoring` around the rest. Raises what the intake raises, and ArtifactCorrupt or a
        store's failure when no copy is good.
        """

        def fill(store: Store) -> None:
            with ExitStack() as opened:
                with fetching():
                    with refusing():
                        intake = opened.enter_context(prepare())
                    self._give(store, file, intake)
                with restoring(), refusing():
                    intake.finish()

        self._each_copy(file, fill)

    def read_head(self, file: ManifestFile, start: Callable[[], Head[Result]]) -> Result:
        """What the beginning of a file tells. Nothing is proved of it."""

        def read(store: Store) -> Result:
            with ExitStack() as opened:
                head = opened.enter_context(start())
                stream: Readable = opened.enter_context(store.open(self._key(file)))
                if self._cipher is not None:
                    stream = opened.enter_context(DecryptedStream(self._cipher, stream))
                plain, buffer = open_plain(self.chosen.manifest.compression.codec, stream), _buffer()
                while not head.is_over and (count := plain.readinto(buffer)):
                    head.write(buffer[:count])
                return head.finish()

        return self._each_copy(file, read)

    def read_text(self, file: ManifestFile, limit: int) -> str:
        """A small file as text."""
        if file.artifact.plain_bytes > limit:
            words = f"{file.artifact.file} has {file.artifact.plain_bytes} bytes, more than the {limit} that are read of it"
            raise StrongroomError(Reason.ArtifactCorrupt, words)

        def read(store: Store) -> str:
            kept = _Kept()
            read_back(store, self._written(file), lambda: kept)
            return kept.content.decode(errors="surrogateescape")

        return self._each_copy(file, read)

    def _give(self, store: Store, file: ManifestFile, intake: Intake) -> None:
        given = _Given(intake, self._progress)
        written = self._written(file)
        if intake.takes_effect_early:
            # What is stored is read twice: its digest first, which all the rest follows from.
            proved = ProvedStore(store)
            read_back(proved, replace(written, is_proved_elsewhere=True))
            read_back(proved, written, lambda: given)
        else:
            read_back(store, written, lambda: given)
        with refusing():
            given.end()

    def _each_copy(self, file: ManifestFile, read: Callable[[Store], Result]) -> Result:
        """What the first good copy gives."""
        failures: list[StrongroomError] = []
        for name, store in self.chosen.stores.items():
            try:
                with named(name):
                    found = read(store)
            except _RefusedError as refused:
                raise refused.error from refused
            except StrongroomError as error:
                log.warning("the next copy is tried: %s", error.message)
                failures.append(error)
                self.notes.append(f"{file.artifact.file}: {error.message}")
            else:
                self.store = name
                return found
        words = "; ".join(error.message for error in failures)
        reason = _gravest([error.reason for error in failures])
        raise StrongroomError(reason, f"{file.artifact.file}: no copy is good: {words}")

    def _written(self, file: ManifestFile) -> Written:
        artifact = file.artifact
        return Written(
            key=self._key(file),
            codec=self.chosen.manifest.compression.codec,
            stored=Fingerprint(artifact.stored_bytes, artifact.stored_sha256),
            plain=Fingerprint(artifact.plain_bytes, artifact.plain_sha256),
            cipher=self._cipher,
            authentication=None if self._cipher is None else self._cipher.authentication,
            tag=file.hmac_sha256,
        )

    def _key(self, file: ManifestFile) -> str:
        return f"{self.chosen.prefix}/{file.artifact.file}"

    def _read_stored(self, store: Store, file: ManifestFile) -> bytes:
        """The beginning of what is stored."""
        content, buffer = bytearray(), _buffer()
        with store.open(self._key(file)) as reader:
            while len(content) < TRIAL_BYTES and (count := reader.readinto(buffer)):
                content += buffer[:count]
        return bytes(content[:TRIAL_BYTES])


_OF_COPIES = {
    Reason.ArtifactCorrupt,
    Reason.CopyMissing,
    Reason.DecryptionFailed,
    Reason.KeyUnusable,
    Reason.VerificationFailed,
}
"""What tells that a copy is bad. Anything else is its store's failure, and the copy may be good."""


def _gravest(reasons: Sequence[Reason]) -> Reason:
    """Why none could be read: a store's failure before any copy's, and what may pass before what does not."""
    of_stores = [reason for reason in reasons if reason not in _OF_COPIES]
    passing = [reason for reason in of_stores if reason.retryable]
    return next(iter([*passing, *of_stores]), Reason.ArtifactCorrupt)


class _RefusedError(Exception):
    """It is not the copy that is at fault."""

    def __init__(self, error: StrongroomError) -> None:
        super().__init__(error.message)
        self.error = error


@contextmanager
def refusing() -> Iterator[None]:
    """What fails inside is no copy's fault: no other one is tried."""
    try:
        yield
    except StrongroomError as error:
        raise _RefusedError(error) from error


class _Sighted:
    """What the checks below share."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was started."""


class _Given(_Sighted):
    """Gives a stream to an intake. When that refuses, the rest is read all the same: its digest tells whose fault it is."""

    def __init__(self, intake: Intake, progress: ProgressLines) -> None:
        self._intake = intake
        self._progress = progress
        self._refusal: StrongroomError | None = None

    def write(self, chunk: Chunk) -> None:
        if self._refusal is None:
            try:
                self._intake.write(chunk)
            except StrongroomError as error:
                if error.reason is Reason.NotEnoughSpace:
                    raise _RefusedError(error) from error
                self._refusal = error
        self._progress.count(read=len(chunk))

    def finish(self) -> Contents:
        return Contents()

    def end(self) -> None:
        """Raise what the intake has raised."""
        if self._refusal is not None:
            raise self._refusal


class _Kept(_Sighted):
    """Keeps a small stream."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, chunk: Chunk) -> None:
        self.content += chunk

    def finish(self) -> Contents:
        return Contents()


def _buffer() -> memoryview:
    return memoryview(bytearray(CHUNK_BYTES))
