"""Which recovery point, and which stores have a good copy of it. The stores' manifests decide, not what is remembered of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import format_time
from strongroom.api.manifest import Manifest
from strongroom.api.restoreorder import Choice, Opening
from strongroom.stores.store import KeyMissingError, Store
from strongroom.worker.catalogue import (
    CommittedPoint,
    FoundManifest,
    describe_untrusted,
    is_complete,
    read_catalogue,
    read_manifest,
)
from strongroom.worker.copying import named
from strongroom.worker.signatures import Trust, gather_trust
from strongroom.worker.storechecks import open_stores
from strongroom.worker.task import Task


@dataclass(frozen=True)
class Chosen:
    """A recovery point with the stores that hold it whole, in the order in which they are read from."""

    prefix: str
    manifest: Manifest
    manifest_sha256: str
    stores: Mapping[str, Store]
    notes: Sequence[str] = ()
    """Why other stores are not read from, and what a signature does not prove."""


@dataclass
class _Search:
    """One search in all stores: what is asked for, and why some of them do not count."""

    namespace: str
    choice: Choice
    trust: Trust
    must_be_signed: bool
    failures: dict[str, StrongroomError] = field(default_factory=dict)

    def give_up(self, name: str, error: StrongroomError) -> None:
        """That store has no good copy."""
        self.failures[name] = error

    def refuse(self, name: str, reason: Reason, words: str) -> None:
        """The same, in our words."""
        self.give_up(name, StrongroomError(reason, f"store {name}: {words}"))

    @property
    def notes(self) -> list[str]:
        """In words."""
        return [error.message for error in self.failures.values()]


def choose_point(task: Task, choice: Choice, opening: Opening) -> Chosen:
    """The recovery point that the choice means.

    Raises BackupNotFound when no store has it, ManifestUntrusted for a manifest that is not the known one or whose signature
    does not count, and a store's own failure when the answer may lie in that store.
    """
    trust = gather_trust(opening.trusted_keys, task.secrets.read)
    search = _Search(task.order.namespace, choice, trust, opening.must_be_signed)
    stores = open_stores(task.order.stores, task.secrets).stores
    prefix = choice.recovery_point or _find_prefix(stores, search)
    return _gather(prefix, stores, search)


def _find_prefix(stores: Mapping[str, Store], search: _Search) -> str:
    """Key prefix of the newest one that fits, in any store."""
    found: list[CommittedPoint] = []
    untrusted: dict[str, str] = {}
    trust = search.trust if search.must_be_signed else None
    for name, store in stores.items():
        try:
            with named(name):
                catalogue = read_catalogue(store, search.namespace, search.choice.policy, trust)
        except StrongroomError as error:
            search.give_up(name, error)
        else:
            found += catalogue.points
            untrusted |= catalogue.untrusted
    fitting = [point for point in found if _fits(point, search.choice)]
    if not fitting:
        raise _not_found(search, found, untrusted)
    newest = max(fitting, key=lambda point: (point.manifest.slot, point.manifest.started_at, point.prefix))
    return newest.prefix


def _fits(point: CommittedPoint, choice: Choice) -> bool:
    """A run that is named may be partial, or a safety backup: the user has seen what it is."""
    manifest = point.manifest
    if choice.run is not None:
        return manifest.run == choice.run and point.proved
    if manifest.reason == "Safety" or not point.verified:
        return False
    if choice.as_of is None:
        return True
    # What was read late shows what is newer than its slot.
    return manifest.slot <= choice.as_of and (
        manifest.started_at <= choice.as_of or manifest.slot == choice.as_of
    )


def _not_found(
    search: _Search, found: Iterable[CommittedPoint], untrusted: Mapping[str, str]
) -> StrongroomError:
    """A store that did not answer may have it: then that is the matter."""
    choice = search.choice
    what = f"run {choice.run} of policy {choice.policy}" if choice.run else f"policy {choice.policy}"
    if choice.run is None and choice.as_of is not None:
        what += f" at or before {format_time(choice.as_of)}"
    for error in search.failures.values():
        words = f"{what}: no verified backup is in the stores that answer: {error.message}"
        return StrongroomError(error.reason, words)
    slots = sorted({point.manifest.slot for point in found if point.verified})
    between = f"; those it has are of {format_time(slots[0])} to {format_time(slots[-1])}" if slots else ""
    if untrusted:
        between += f"; what does not count: {describe_untrusted(untrusted)}"
    reason = Reason.ManifestUntrusted if untrusted and not slots else Reason.BackupNotFound
    return StrongroomError(reason, f"{what}: no store holds a verified backup{between}")


def _gather(prefix: str, stores: Mapping[str, Store], search: _Search) -> Chosen:
    """Everybody who holds it whole, with the same manifest."""
    found: dict[str, FoundManifest] = {}
    for name, store in stores.items():
        if name not in search.failures:
            try:
                with named(name):
                    manifest = _look(name, store, prefix, search)
            except StrongroomError as error:
                search.give_up(name, error)
            else:
                found |= {} if manifest is None else {name: manifest}
    first = next(iter(found.values()), None)
    if first is None:
        raise _no_copy(prefix, search)
    for name, other in found.items():
        if other.sha256 != first.sha256:
            search.refuse(name, Reason.ManifestUntrusted, f"its manifest of {prefix} is another one")
    good = {name: stores[name] for name, each in found.items() if each.sha256 == first.sha256}
    unproved = [] if first.verdict.signature == "Valid" else _unproved(first)
    return Chosen(prefix, first.manifest, first.sha256, good, [*search.notes, *unproved])


def _look(name: str, store: Store, prefix: str, search: _Search) -> FoundManifest | None:
    """What the store has there, if it counts."""
    keys = {each.key: each for each in store.list(f"{prefix}/")}
    try:
        found = read_manifest(store, prefix, keys, search.trust)
    except KeyMissingError:
        if not keys:
            search.refuse(name, Reason.BackupNotFound, f"it does not hold {prefix}")
            return None
        found = None
    if found is None:
        search.refuse(name, Reason.ArtifactCorrupt, f"the manifest of {prefix} is missing or cannot be read")
        return None
    trouble = _find_trouble(prefix, found, search)
    if trouble is not None:
        search.refuse(name, Reason.ManifestUntrusted, f"{prefix}: {trouble}")
        return None
    if not is_complete(store, keys, prefix, found.manifest):
        words = f"a file of {prefix} is missing or not as long as its manifest says"
        search.refuse(name, Reason.ArtifactCorrupt, words)
        return None
    return found


def _find_trouble(prefix: str, found: FoundManifest, search: _Search) -> str | None:
    """Why a manifest is not to be believed."""
    choice, manifest, verdict = search.choice, found.manifest, found.verdict
    if verdict.signature == "Invalid" or (search.must_be_signed and verdict.signature != "Valid"):
        return verdict.words
    if (manifest.namespace, manifest.policy) != (search.namespace, choice.policy):
        return f"its manifest is of policy {manifest.namespace}/{manifest.policy}"
    if choice.run not in {None, manifest.run}:
        return f"its manifest is of run {manifest.run}, not {choice.run}"
    if manifest.recovery_point not in {None, prefix}:
        return f"its manifest belongs to {manifest.recovery_point}"
    if choice.manifest_sha256 not in {None, found.sha256}:
        return "its manifest is not the one that the run has written, or that was planned"
    return None


def _unproved(found: FoundManifest) -> list[str]:
    """That nobody vouches for it is no reason against it where the policy does not sign; but it is told."""
    if found.verdict.signature == "Unsigned":
        return ["its manifest is not signed: that nobody has changed it is not proved"]
    return [found.verdict.words]


def _no_copy(prefix: str, search: _Search) -> StrongroomError:
    """A manifest that is not to be believed weighs more than a store that fails, and that more than one that lacks it."""
    errors = list(search.failures.values())
    missing = Reason.BackupNotFound
    order = [
        *(each for each in errors if each.reason is Reason.ManifestUntrusted),
        *(each for each in errors if each.reason not in {Reason.ManifestUntrusted, missing}),
        *(each for each in errors if each.reason is missing),
    ]
    reason = order[0].reason if order else missing
    return StrongroomError(reason, f"{prefix}: no store has a good copy: {'; '.join(search.notes)}")
