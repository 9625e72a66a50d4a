"""A recovery point copied from the stores that hold it to those that lack it: proved there, and visible by its manifest alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest, ManifestFile
from strongroom.pipeline.digests import Digest, Fingerprint
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.reading import pump
from strongroom.stores.store import Store, StoreReader
from strongroom.worker.copying import Copies, named
from strongroom.worker.fileproofs import prove_file
from strongroom.worker.lanes import Lanes
from strongroom.worker.progress import ProgressLines

_UNFIT = {Reason.VerificationFailed, Reason.ArtifactCorrupt}


@dataclass(frozen=True)
class Point:
    """A recovery point as its holders have it: its prefix (no final slash), the manifest, and that and its signature as bytes."""

    prefix: str
    manifest: Manifest
    content: bytes
    signature: bytes | None = None
    cipher: Cipher | None = None
    """The policy's, for the keys that prove."""

    def key(self, file: ManifestFile) -> str:
        """Where a file lies."""
        return f"{self.prefix}/{file.artifact.file}"


def prove_holders(point: Point, copies: Copies, holders: Mapping[str, Store]) -> dict[str, Store]:
    """Those whose copy is whole, read back and proved; the others are given up. None is an error for the caller to raise.

    The first is opened as far as keys are at hand; of the others, all at once, the same stored bytes are enough.
    """
    rest, proved = dict(holders), dict[str, Store]()
    while rest and not proved:
        name = next(iter(rest))
        proved = _proved(point, copies, {name: rest.pop(name)}, is_opened=True)
    return proved | _proved(point, copies, rest, is_opened=False)


def _proved(
    point: Point, copies: Copies, holders: Mapping[str, Store], *, is_opened: bool
) -> dict[str, Store]:
    own = Copies(dict(holders))
    try:
        own.each(lambda _, store: _prove_point(point, store, is_opened=is_opened))
    except StrongroomError as error:
        if error not in own.failures.values():
            raise
    copies.failures.update(own.failures)
    copies.verified.update(dict.fromkeys(own.good, datetime.now(UTC)))
    return own.good


def _prove_point(point: Point, store: Store, *, is_opened: bool) -> None:
    for file in point.manifest.files:
        _prove_file(point, file, store, is_opened=is_opened)


def _prove_file(point: Point, file: ManifestFile, store: Store, *, is_opened: bool) -> None:
    prove_file(store, point.key(file), point.manifest, file, point.cipher, is_opened=is_opened)


@dataclass
class Replication:
    """Copies `point` from `origins`, which are proved, to `targets`, stores of `copies` that lack it.

    Every file is read once for all targets. An origin that fails is given up, and the next one is read; a target that
    fails leaves the others alone. `marked` is asked to write the manifest. Killed at any moment it leaves nothing visible,
    and what it left is proved and used when it is done again.
    """

    point: Point
    copies: Copies
    origins: dict[str, Store]
    progress: ProgressLines
    mark: Callable[[str, Store], None]

    def run(self, targets: Mapping[str, Store]) -> None:
        """Return when each target holds it, or has failed. Raises when no origin is left, or an order to end came."""
        own = Copies(dict(targets))
        try:
            self._run(own)
        except StrongroomError as error:
            if error not in own.failures.values():
                raise
        finally:
            self._tell(own)

    def _tell(self, own: Copies) -> None:
        """What became of the targets, as far as it went."""
        for name, trouble in own.failures.items():
            self.copies.behind.pop(name, None)
            self.copies.failures[name] = trouble
        for name in own.good.keys() & own.verified.keys():
            self.copies.behind.pop(name, None)
            self.copies.failures.pop(name, None)
            self.copies.verified[name] = own.verified[name]
        self.copies.hanging |= own.hanging

    def _run(self, targets: Copies) -> None:
        fit = targets.each(lambda _, store: self._fit_keys(store))
        with Lanes(targets) as lanes:
            for file in self.point.manifest.files:
                key = self.point.key(file)
                lanes.report()
                lacking = {name for name in targets.good if key not in fit.get(name, ())}
                if lacking:
                    self._feed(file, lanes, lacking)
            for lane in lanes.alive:
                lane.do(_Marking(targets, lane.name, self.mark))
            lanes.finish()
            lanes.report()

    def _fit_keys(self, store: Store) -> set[str]:
        """What is there already and whole: an earlier attempt may have been cut short. What is not whole is removed."""
        fit = set()
        present = {found.key for found in store.list(f"{self.point.prefix}/")}
        for file in self.point.manifest.files:
            key = self.point.key(file)
            if key not in present and store.look(key) is None:
                continue
            try:
                _prove_file(self.point, file, store, is_opened=False)
            except StrongroomError as error:
                if error.reason not in _UNFIT:
                    raise
                store.delete(key)
            else:
                fit.add(key)
        return fit

    def _feed(self, file: ManifestFile, lanes: Lanes, names: set[str]) -> None:
        """One file, from the first origin that gives it whole, to those stores; each proves it in its lane."""
        while True:
            name, store = next(iter(self.origins.items()))
            origin = _Origin(self.progress)
            try:
                lanes.begin(self.point.key(file), names)
                with named(name):
                    origin.copy(store, self.point.key(file), file, lanes)
            except StrongroomError as error:
                if origin.failure is None:
                    raise
                lanes.rewind()
                del self.origins[name]
                self.copies.failures[name] = error
                if not self.origins:
                    raise
                continue
            lanes.commit(lambda _: None)
            for lane in lanes.alive:
                if lane.name in names:
                    lane.do(lambda target: _prove_file(self.point, file, target, is_opened=False))
            return


class _Marking:
    """The last act in a target's lane."""

    def __init__(self, targets: Copies, name: str, mark: Callable[[str, Store], None]) -> None:
        self._targets = targets
        self._name = name
        self._mark = mark

    def __call__(self, store: Store) -> None:
        proved = datetime.now(UTC)
        self._mark(self._name, store)
        self._targets.verified[self._name] = proved


class _Origin:
    """Reads one file of one origin. `failure` is set when the origin is at fault, rather than the targets."""

    def __init__(self, progress: ProgressLines) -> None:
        self.failure: StrongroomError | None = None
        self._progress = progress
        self._reader: StoreReader | None = None

    def copy(self, store: Store, key: str, file: ManifestFile, lanes: Lanes) -> None:
        digest = Digest()
        with self._open(store, key) as reader:
            self._reader = reader
            pump(self, digest, lanes)
        expected = Fingerprint(file.artifact.stored_bytes, file.artifact.stored_sha256)
        if digest.fingerprint() != expected:
            words = f"{key} was read with other bytes than its manifest tells"
            self.failure = StrongroomError(Reason.ArtifactCorrupt, words)
            raise self.failure

    def readinto(self, buffer: memoryview) -> int:
        if self._reader is None:
            return 0
        try:
            count = self._reader.readinto(buffer)
        except StrongroomError as error:
            self.failure = error
            raise
        self._progress.count(read=count, stored=count)
        return count

    def _open(self, store: Store, key: str) -> StoreReader:
        try:
            return store.open(key)
        except StrongroomError as error:
            self.failure = error
            raise


def write_mark(store: Store, point: Point) -> None:
    """The signature, where there is one, and last of all the manifest."""
    if point.signature is not None:
        _ensure(store, f"{point.prefix}/{SIGNATURE_NAME}", point.signature)
    _write(store, f"{point.prefix}/{MANIFEST_NAME}", point.content)


def _ensure(store: Store, key: str, content: bytes) -> None:
    """An attempt that was cut short may have left it: it is small, and written anew."""
    store.delete(key)
    _write(store, key, content)


def _write(store: Store, key: str, content: bytes) -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()
