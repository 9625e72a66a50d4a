"""What a store holds of one policy: its manifests, and whether the files that they name are there."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest, policy_prefix
from strongroom.domain.retention import RecoveryPoint
from strongroom.stores.keys import is_key
from strongroom.stores.store import KeyMissingError, Store, StoredKey
from strongroom.worker.signatures import Trust, Verdict, find_move

_MANIFEST_BYTES = 64 << 20
_SIGNATURE_BYTES = 1 << 10
"""More than any signature has: what is longer is none, and shows as a wrong one."""
_TOLD = 3
_TOLD_LENGTH = 1024


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
        is_safety = manifest.reason == "Safety"
        return RecoveryPoint(
            self.prefix, manifest.run, manifest.slot, self.verified, partial=partial, safety=is_safety
        )


@dataclass(frozen=True)
class FoundManifest:
    """A manifest as it lies in a store, with its bytes, their digest and what its signature is worth."""

    manifest: Manifest
    content: bytes
    sha256: str
    verdict: Verdict


@dataclass(frozen=True)
class Catalogue:
    """One listing: the committed points that count, every key of the policy, and what does not count, with the reason in words.

    Where the policy signs, `points` are those with a valid signature. Nothing is ever done to those that do not count.
    """

    points: list[CommittedPoint] = field(default_factory=list)
    keys: dict[str, StoredKey] = field(default_factory=dict)
    untrusted: dict[str, str] = field(default_factory=dict)

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


def read_catalogue(
    store: Store, namespace: str, policy: str, trust: Trust | None = None, attempts: Iterable[str] = ()
) -> Catalogue:
    """List the policy's keys and read its manifests. A listing that fails raises; it is never short.

    With `trust` (a policy that signs) only signed and trusted manifests count. `attempts` are the prefixes that a run may have
    used, one after the other: up to the first that it has not, its manifest is looked for whatever the listing shows.
    """
    start = policy_prefix(namespace, policy)
    catalogue = Catalogue(keys={found.key: found for found in store.list(start)})
    _look_for(store, catalogue, attempts)
    for key in catalogue.keys:
        prefix, _, name = key.rpartition("/")
        if name == MANIFEST_NAME and "/" not in prefix.removeprefix(start):
            _take_in(store, catalogue, prefix, (namespace, policy), trust)
    return catalogue


def _look_for(store: Store, catalogue: Catalogue, attempts: Iterable[str]) -> None:
    for prefix in attempts:
        found = store.look(f"{prefix}/{MANIFEST_NAME}")
        if found is not None:
            catalogue.keys[found.key] = found
        elif not catalogue.uses_prefix(prefix):
            return


def _take_in(
    store: Store, catalogue: Catalogue, prefix: str, place: tuple[str, str], trust: Trust | None
) -> None:
    try:
        found = read_manifest(store, prefix, catalogue.keys, trust)
    except KeyMissingError:  # deleted since it was listed, or while the listing was behind
        return
    trouble = find_trouble(prefix, found, place, signed=trust is not None)
    if found is None or trouble is not None:
        catalogue.untrusted[prefix] = trouble or ""
    else:
        complete = is_complete(store, catalogue.keys, prefix, found.manifest)
        catalogue.points.append(CommittedPoint(prefix, found.manifest, complete))


def describe_untrusted(untrusted: Mapping[str, str]) -> str | None:
    """The first of what does not count, in words."""
    told = [f"{prefix}: {words}" for prefix, words in itertools.islice(untrusted.items(), _TOLD)]
    rest = [f"and {len(untrusted) - _TOLD} more"] if len(untrusted) > _TOLD else []
    return "; ".join([*told, *rest])[:_TOLD_LENGTH] or None


def read_manifest(
    store: Store, prefix: str, keys: Mapping[str, StoredKey], trust: Trust | None
) -> FoundManifest | None:
    """The manifest under a prefix, None if it cannot be read as one. KeyMissingError where there is none.

    `keys` are those of a listing. Without `trust` no signature is looked at.
    """
    try:
        content = read_whole(store, f"{prefix}/{MANIFEST_NAME}")
        manifest = Manifest.model_validate_json(content)
    except ValidationError:
        return None
    except StrongroomError as error:
        if error.reason is Reason.ArtifactCorrupt:
            return None
        raise
    verdict = Verdict("Unsigned")
    if trust is not None:
        reader = _signature_reader(store, prefix, keys, is_expected=manifest.signed_by is not None)
        verdict = trust.judge(prefix, content, manifest, reader)
    return FoundManifest(manifest, content, hashlib.sha256(content).hexdigest(), verdict)


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


def is_complete(store: Store, keys: Mapping[str, StoredKey], prefix: str, manifest: Manifest) -> bool:
    """Whether every file that the manifest names is there, in its length. What a listing's `keys` do not show is looked for."""
    files = ((f"{prefix}/{file.artifact.file}", file.artifact.stored_bytes) for file in manifest.files)
    found = ((_find(store, keys, key), size) for key, size in files)
    return all(key is not None and key.size_bytes == size for key, size in found)


def _find(store: Store, keys: Mapping[str, StoredKey], key: str) -> StoredKey | None:
    """A manifest may name what is no key: there is nothing then."""
    return keys.get(key) or (store.look(key) if is_key(key) else None)


def find_trouble(
    prefix: str, found: FoundManifest | None, place: tuple[str, str], *, signed: bool
) -> str | None:
    """Why a recovery point does not count, or None."""
    if found is None:
        return "its manifest cannot be read"
    if (found.manifest.namespace, found.manifest.policy) != place:
        return f"its manifest is of policy {found.manifest.namespace}/{found.manifest.policy}"
    if not signed:
        return find_move(prefix, found.manifest)
    return None if found.verdict.signature == "Valid" else found.verdict.words


def _signature_reader(
    store: Store, prefix: str, keys: Mapping[str, StoredKey], *, is_expected: bool
) -> Callable[[], bytes | None]:
    key = f"{prefix}/{SIGNATURE_NAME}"

    def read() -> bytes | None:
        found = _find(store, keys, key) if is_expected else keys.get(key)
        if found is None:
            return None
        if found.size_bytes > _SIGNATURE_BYTES:
            return b""
        try:
            return read_whole(store, key)
        except KeyMissingError:
            return None

    return read
