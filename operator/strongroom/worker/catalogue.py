"""What a store holds of one policy: its manifests, and whether the files that they name are there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, Manifest, policy_prefix
from strongroom.domain.retention import RecoveryPoint
from strongroom.stores.store import KeyMissingError, Store, StoredKey

_MANIFEST_BYTES = 64 << 20


@dataclass(frozen=True)
class CommittedPoint:
    """A recovery point with its key prefix (no final slash). `complete`: every file is there in its length."""

    prefix: str
    manifest: Manifest
    complete: bool

    @property
    def verified(self) -> bool:
        """Whether it counts."""
        return self.complete and self.manifest.verified

    @property
    def proved(self) -> bool:
        """Whether all of it was written and read back, also where it does not count."""
        return self.complete and self.manifest.proved

    def for_retention(self) -> RecoveryPoint:
        """As the decision sees it."""
        manifest = self.manifest
        partial = self.proved and manifest.outcome == "Partial"
        return RecoveryPoint(self.prefix, manifest.run, manifest.slot, self.verified, partial)


@dataclass(frozen=True)
class Catalogue:
    """One listing: the committed points, every key of the policy, and prefixes whose manifest cannot be read."""

    points: list[CommittedPoint] = field(default_factory=list)
    keys: dict[str, StoredKey] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    def point_of_run(self, run_uid: str) -> CommittedPoint | None:
        """The recovery point that this run committed, if it did."""
        return next((point for point in self.points if point.manifest.run_uid == run_uid), None)

    def uses_prefix(self, prefix: str) -> bool:
        """Whether any key lies under that recovery point's prefix."""
        return any(key.startswith(f"{prefix}/") for key in self.keys)

    @property
    def total_bytes(self) -> int:
        """Stored bytes of the committed points."""
        return sum(point.manifest.stored_bytes for point in self.points)


def read_catalogue(store: Store, namespace: str, policy: str) -> Catalogue:
    """List the policy's keys and read its manifests. A listing that fails raises; it is never short."""
    start = policy_prefix(namespace, policy)
    catalogue = Catalogue(keys={found.key: found for found in store.list(start)})
    for key in catalogue.keys:
        prefix, _, name = key.rpartition("/")
        if name != MANIFEST_NAME or "/" in prefix.removeprefix(start):
            continue
        manifest = _read_manifest(store, key)
        if manifest is None or (manifest.namespace, manifest.policy) != (namespace, policy):
            catalogue.damaged.append(prefix)
        else:
            catalogue.points.append(
                CommittedPoint(prefix, manifest, _is_complete(catalogue.keys, prefix, manifest))
            )
    return catalogue


def read_whole(store: Store, key: str, limit: int = _MANIFEST_BYTES) -> bytes:
    """All bytes of a small key; ArtifactCorrupt if it is longer than any manifest."""
    content = bytearray()
    buffer = memoryview(bytearray(1 << 16))
    with store.open(key) as reader:
        while count := reader.readinto(buffer):
            content += buffer[:count]
            if len(content) > limit:
                raise StrongroomError(Reason.ArtifactCorrupt, f"{key} is longer than any manifest")
    return bytes(content)


def _read_manifest(store: Store, key: str) -> Manifest | None:
    try:
        return Manifest.model_validate_json(read_whole(store, key))
    except (ValidationError, KeyMissingError):
        return None
    except StrongroomError as error:
        if error.reason is Reason.ArtifactCorrupt:
            return None
        raise


def _is_complete(keys: Mapping[str, StoredKey], prefix: str, manifest: Manifest) -> bool:
    found = (
        (keys.get(f"{prefix}/{file.artifact.file}"), file.artifact.stored_bytes) for file in manifest.files
    )
    return all(key is not None and key.size_bytes == size for key, size in found)
