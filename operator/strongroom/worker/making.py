"""One artifact: read once; digested, checked, compressed, encrypted and written to every store in that one pass; read back."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.api.backuppolicy import Compression
from strongroom.api.manifest import ManifestFile
from strongroom.api.result import LISTED_TABLES, Artifact, ArtifactVerification, VerificationLevel
from strongroom.pipeline.codecs import SUFFIXES, build_compressor
from strongroom.pipeline.compressing import CompressingSink
from strongroom.pipeline.digests import Digest, Fingerprint
from strongroom.pipeline.encryption.ciphers import SUFFIXES as ENCRYPTION_SUFFIXES
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.lanes import Lane
from strongroom.pipeline.reading import pump
from strongroom.pipeline.sinks import Chunk
from strongroom.sources.reading import Contents, Origin, Reading
from strongroom.stores.store import Store
from strongroom.worker.lanes import Lanes
from strongroom.worker.progress import ProgressLines
from strongroom.worker.readback import Written, read_back
from strongroom.worker.sealing import Sealing

_NOTES = 512
_MOST_THREADS = 4


@dataclass(frozen=True)
class Recipe:
    """How the artifacts of one run are made. `refuse` raises when a dump is not plausible."""

    prefix: str
    compression: Compression
    level: VerificationLevel
    listed_tables: int
    refuse: Callable[[Origin, Fingerprint, Contents], None]
    cipher: Cipher | None = None
    """Without one the artifacts are in the clear."""

    def key(self, reading: Reading) -> str:
        """Where the reading's artifact goes."""
        return f"{self.prefix}/{self.file(reading)}"

    def file(self, reading: Reading) -> str:
        """What it is called there; each suffix names the stock tool that takes it off."""
        sealed = "" if self.cipher is None else ENCRYPTION_SUFFIXES[self.cipher.kind]
        return f"{reading.file_name}{SUFFIXES[self.compression.codec]}{sealed}"


@dataclass(frozen=True)
class Made:
    """One artifact, on its way into every good store, and not yet read back."""

    reading: Reading
    key: str
    plain: Fingerprint
    stored: Fingerprint
    tag: str | None
    contents: Contents

    def written(self, recipe: Recipe) -> Written:
        """As a read-back is to find it."""
        return Written(
            key=self.key,
            codec=recipe.compression.codec,
            stored=self.stored,
            plain=self.plain,
            cipher=recipe.cipher,
            authentication=None if recipe.cipher is None else recipe.cipher.authentication,
            tag=self.tag,
        )


def make_artifact(
    reading: Reading,
    recipe: Recipe,
    lanes: Lanes,
    progress: ProgressLines,
    committed: Callable[[str, str], None],
) -> Made:
    """Read and write; nothing is committed before the producer and the check have said that all is there.

    Returns when the source has been read: what the stores still have to do they do in their lanes. `committed` is told each
    store and key that has become visible, in the store's lane. A store that fails leaves the others alone; everything else raises.
    """
    key = recipe.key(reading)
    plain, stored = Digest(), Digest()
    with ExitStack() as opened:
        lanes.begin(key)
        compressor = build_compressor(recipe.compression, _compression_threads(reading.origin))
        sealing = opened.enter_context(Sealing(recipe.cipher, stored, lanes))
        compressing = CompressingSink(compressor, sealing)
        lane = opened.enter_context(Lane(compressing))
        # Before the lane is left: its thread may wait for the cipher, or for a store.
        opened.push(lambda kind, *_: None if kind is None else lanes.give_up())
        opened.callback(sealing.abandon)
        check = opened.enter_context(reading.start_check(recipe.level))
        stream = opened.enter_context(reading.start())
        pump(stream, lane, check, plain, _Counter(progress, stored))
        stream.finish()
        lane.finish()
        compressing.close()
        sealing.finish()
        contents = check.finish()
        recipe.refuse(reading.origin, plain.fingerprint(), contents)
        lanes.commit(lambda store: committed(store, key))
    return Made(reading, key, plain.fingerprint(), stored.fingerprint(), sealing.tag(), contents)


def _compression_threads(origin: Origin) -> int:
    """Threads beside the lane's own. A tree is read faster than one core compresses; a dump is not."""
    return min(_MOST_THREADS, len(os.sched_getaffinity(0))) if origin.kind == "files" else 0


def prove_artifact(made: Made, recipe: Recipe, store: Store) -> ManifestFile:
    """Read it back from one store, as far as keys are at hand to the plain stream, and describe what has been proved."""
    written = made.written(recipe)
    read_back(store, written, lambda: made.reading.start_check("List"))
    proof = ArtifactVerification(
        level=recipe.level, read_back=True, read_back_to=written.reaches, time=datetime.now(UTC)
    )
    return _describe(made, recipe, proof)


class _Counter:
    """A sink that counts what went by."""

    def __init__(self, progress: ProgressLines, stored: Digest) -> None:
        self._progress = progress
        self._stored = stored
        self._told = 0

    def write(self, chunk: Chunk) -> None:
        stored = self._stored.size_bytes
        self._progress.count(read=len(chunk), stored=stored - self._told)
        self._told = stored


def _describe(made: Made, recipe: Recipe, proof: ArtifactVerification) -> ManifestFile:
    origin, tables = made.reading.origin, made.contents.tables or []
    applied = None if recipe.cipher is None else recipe.cipher.describe()
    largest = sorted(tables, key=lambda table: (-table.rows, table.table))
    artifact = Artifact(
        source=origin.source,
        kind=origin.kind,
        database=origin.database,
        container=origin.container,
        file=made.key.rpartition("/")[2],
        plain_bytes=made.plain.size_bytes,
        plain_sha256=made.plain.sha256,
        stored_bytes=made.stored.size_bytes,
        stored_sha256=made.stored.sha256,
        server_version=origin.server_version,
        client_version=origin.client_version,
        table_count=made.contents.table_count,
        row_count=made.contents.row_count,
        row_counts=largest[: min(recipe.listed_tables, LISTED_TABLES)],
        member_count=made.contents.member_count,
        member_bytes=made.contents.member_bytes,
        changed_count=made.contents.changed.count,
        skipped_count=made.contents.skipped.count,
        encryption=None if applied is None else applied.kind,
        opened_by=None if applied is None else applied.opened_by,
        iterations=None if applied is None else applied.iterations,
        verification=proof,
    )
    return ManifestFile(
        artifact=artifact,
        hmac_sha256=made.tag,
        tables=tables,
        owner=origin.owner,
        extensions=origin.extensions,
        options=origin.options[:_NOTES],
        changed=made.contents.changed.first,
        skipped=made.contents.skipped.first,
        not_included=origin.not_included[:_NOTES],
    )
