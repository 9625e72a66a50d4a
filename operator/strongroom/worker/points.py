"""A recovery point that is to be read: found in a store, judged by its manifest, its files proved."""

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, Manifest, ManifestFile
from strongroom.stores.keys import is_key
from strongroom.stores.store import Store
from strongroom.worker.catalogue import is_complete, read_manifest
from strongroom.worker.signatures import Trust, Verdict

_POINT_SEGMENTS = 3  # namespace, policy, recovery point


@dataclass(frozen=True)
class StoredPoint:
    """A recovery point in one store: its prefix (no final slash), its manifest, and what its signature is worth."""

    prefix: str
    manifest: Manifest
    sha256: str
    verdict: Verdict
    complete: bool

    def key(self, file: ManifestFile) -> str:
        """Where a file lies. ArtifactCorrupt for a name that would lead elsewhere."""
        name = file.artifact.file
        if not is_key(name):
            raise StrongroomError(
                Reason.ArtifactCorrupt, f"the manifest of {self.prefix} names the file {name[:100]!r}"
            )
        return f"{self.prefix}/{name}"


@dataclass(frozen=True)
class Demand:
    """What a recovery point must fulfil to be believed."""

    manifest_sha256: str | None = None
    """Of its manifest, where it is known from elsewhere."""
    must_be_signed: bool = False


def list_points(store: Store, prefix: str = "") -> Iterator[str]:
    """Prefixes of committed recovery points, of all namespaces and policies below `prefix`, in the order of their text."""
    for found in store.list(prefix):
        point, _, name = found.key.rpartition("/")
        if name == MANIFEST_NAME and point.count("/") == _POINT_SEGMENTS - 1:
            yield point


def read_point(store: Store, prefix: str, trust: Trust) -> StoredPoint:
    """The recovery point under a prefix, whatever its signature is worth.

    KeyMissingError without a manifest, ArtifactCorrupt for one that cannot be read.
    """
    keys = {found.key: found for found in store.list(f"{prefix}/")}
    found = read_manifest(store, prefix, keys, trust)
    if found is None:
        raise StrongroomError(Reason.ArtifactCorrupt, f"the manifest of {prefix} cannot be read")
    complete = is_complete(store, keys, prefix, found.manifest)
    return StoredPoint(prefix, found.manifest, found.sha256, found.verdict, complete)


def check_point(point: StoredPoint, demand: Demand) -> None:
    """Return if it may be believed. ManifestUntrusted or ArtifactCorrupt otherwise."""
    if demand.manifest_sha256 is not None and point.sha256 != demand.manifest_sha256:
        words = f"its SHA-256 is {point.sha256[:16]}…, and the run has written {demand.manifest_sha256[:16]}…"
        raise StrongroomError(
            Reason.ManifestUntrusted, f"the manifest of {point.prefix} was changed: {words}"
        )
    signature = point.verdict.signature
    if signature == "Invalid" or (demand.must_be_signed and signature != "Valid"):
        raise StrongroomError(Reason.ManifestUntrusted, f"{point.prefix}: {point.verdict.words}")
    if not point.complete:
        raise StrongroomError(
            Reason.ArtifactCorrupt, f"files of {point.prefix} are missing, or are of another length"
        )
