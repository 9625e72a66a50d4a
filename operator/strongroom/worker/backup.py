"""A backup: stores first, then sources, artifacts, proofs, the manifest, and only then retention."""

import functools
import hashlib
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from strongroom import __version__
from strongroom.api.errors import StrongroomError
from strongroom.api.manifest import (
    MANIFEST_NAME,
    Manifest,
    ManifestFile,
    policy_prefix,
    recovery_point_prefix,
)
from strongroom.api.result import LISTED_TABLES, RetentionOutcome, StoreReport
from strongroom.api.workorder import BackupOrder
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.sources.reading import Reading
from strongroom.stores.store import Store
from strongroom.worker.adopting import adopt_point
from strongroom.worker.attempt import Attempt
from strongroom.worker.catalogue import Catalogue, describe_untrusted, read_catalogue
from strongroom.worker.catchingup import catch_up_behind
from strongroom.worker.claiming import claim_all
from strongroom.worker.copying import Copies
from strongroom.worker.holdups import HoldUps
from strongroom.worker.hooking import hooked
from strongroom.worker.lanes import Lanes
from strongroom.worker.making import Made, Recipe, make_artifact
from strongroom.worker.partiality import decide_outcome, partial_failure
from strongroom.worker.planning import plan_sources
from strongroom.worker.plausibility import expected_bytes, refuse_implausible
from strongroom.worker.proving import prove_and_commit
from strongroom.worker.pruning import blocked_outcome, prune_store
from strongroom.worker.replicating import Point
from strongroom.worker.signatures import Trust, build_trust
from strongroom.worker.storechecks import open_stores, report_stores
from strongroom.worker.task import Done, Task

log = logging.getLogger(__name__)


def run_backup(task: Task, backup: BackupOrder) -> tuple[Done, StrongroomError | None]:
    """Carry out the order. The error is that of a store which was given up while another one holds the backup.

    Raises StrongroomError when no store holds it; then nothing of it is visible.
    """
    task.progress.enter("Connect")
    copies = open_stores(task.order.stores, task.secrets, task.scratch)
    copies.each(lambda _, store: store.probe())
    with ExitStack() as claims:
        claim_all(claims, copies, policy_prefix(task.order.namespace, backup.policy))
        return _back_up(task, backup, copies)


def _back_up(task: Task, backup: BackupOrder, copies: Copies) -> tuple[Done, StrongroomError | None]:
    cipher = task.build_cipher(backup.encryption)
    trust = build_trust(backup.signing, task.secrets.read)
    catalogues = copies.each(
        lambda _, store: read_catalogue(
            store, task.order.namespace, backup.policy, trust, _prefixes(task, backup)
        )
    )
    _warn(catalogues)
    point = adopt_point(copies, catalogues, task.order.run_uid, cipher, task.progress)
    if point is None:
        point = _make_point(task, backup, copies, catalogues, _Keys(cipher, trust))
    task.ending.put_off()
    partial = partial_failure(point.manifest)
    failure = copies.shortage(backup.min_copies) or partial
    done = Done(
        recovery_point=point.prefix,
        artifacts=[file.artifact for file in point.manifest.files],
        contents="Whole" if partial is None else "Changed",
        manifest_sha256=hashlib.sha256(point.content).hexdigest(),
        copies=copies.report(f"{point.prefix}/{MANIFEST_NAME}", task.secrets.hide),
        retention=_prune(task, backup, copies, trust, is_partial=partial is not None),
        stores=_report(task, backup, copies, trust),
    )
    return done, failure


def _warn(catalogues: Mapping[str, Catalogue]) -> None:
    """Tell of what does not count as soon as it is seen: the run may not come to retention."""
    for name, catalogue in catalogues.items():
        if (words := describe_untrusted(catalogue.untrusted)) is not None:
            log.warning(
                "store %s: %d recovery points do not count: %s", name, len(catalogue.untrusted), words
            )


@dataclass(frozen=True)
class _Keys:
    """What encrypts, and what signs."""

    cipher: Cipher | None
    trust: Trust | None


@dataclass(frozen=True)
class _Writing:
    """Where artifacts go."""

    attempt: Attempt
    lanes: Lanes


def _make_point(
    task: Task,
    backup: BackupOrder,
    copies: Copies,
    catalogues: Mapping[str, Catalogue],
    keys: _Keys,
) -> Point:
    readings = plan_sources(task, backup)
    recipe = Recipe(
        prefix="",
        compression=backup.compression,
        level=backup.verification,
        listed_tables=max(1, LISTED_TABLES // len(readings)),
        refuse=functools.partial(refuse_implausible, backup, catalogues),
        cipher=keys.cipher,
    )
    recipe = replace(recipe, prefix=_free_prefix(task, backup, copies, catalogues, recipe.file(readings[0])))
    task.progress.expected_bytes = expected_bytes(readings, catalogues)
    attempt = Attempt(recipe.prefix, copies)
    try:
        with Lanes(copies, HoldUps()) as lanes:
            made = _read_all(task, backup, readings, recipe, _Writing(attempt, lanes))
            seal = functools.partial(_seal, task, backup, recipe, keys.trust)
            point = prove_and_commit(task, made, recipe, attempt, lanes, seal)
        catch_up_behind(task, backup.min_copies, point, attempt, lanes)
    finally:
        attempt.undo()
    return point


def _read_all(
    task: Task, backup: BackupOrder, readings: Sequence[Reading], recipe: Recipe, writing: _Writing
) -> list[Made]:
    """Read every source inside its hooks. Nothing is proved meanwhile: services wait for the reading alone."""
    made: list[Made] = []
    with hooked(task, backup.hooks):
        for source in backup.sources:
            own = [reading for reading in readings if reading.origin.source == source.name]
            with hooked(task, source.hooks, source.name):
                made += [_make(task, reading, recipe, writing) for reading in own]
    return made


def _make(task: Task, reading: Reading, recipe: Recipe, writing: _Writing) -> Made:
    task.progress.enter("Dump", reading.origin.source, reading.origin.database)
    return make_artifact(reading, recipe, writing.lanes, task.progress, writing.attempt.own)


def _prefixes(task: Task, backup: BackupOrder) -> Iterator[str]:
    """Of the run's attempts, without end."""
    place = (task.order.namespace, backup.policy, backup.slot, backup.run)
    return (recovery_point_prefix(*place, attempt) for attempt in itertools.count(1))


def _free_prefix(
    task: Task, backup: BackupOrder, copies: Copies, catalogues: Mapping[str, Catalogue], first: str
) -> str:
    """The first attempt's prefix that no store has a key under. `first` is the file that every attempt begins with."""
    return next(
        prefix
        for prefix in _prefixes(task, backup)
        if not any(catalogue.uses_prefix(prefix) for catalogue in catalogues.values())
        and not _is_there(copies, f"{prefix}/{first}")
    )


def _is_there(copies: Copies, key: str) -> bool:
    """In any store that still takes part: a listing may not show yet what an attempt has left that was ended just now."""
    return any(found is not None for found in copies.each(lambda _, store: store.look(key)).values())


def _seal(
    task: Task, backup: BackupOrder, recipe: Recipe, trust: Trust | None, files: list[ManifestFile]
) -> Point:
    """The manifest's bytes, and their signature where the policy signs."""
    manifest = _manifest(task, backup, files, recipe, trust)
    content = manifest.model_dump_json(by_alias=True, indent=1).encode()
    signer = None if trust is None else trust.signer
    signature = None if signer is None else signer.sign(content)
    return Point(recipe.prefix, manifest, content, signature, recipe.cipher)


def _manifest(
    task: Task, backup: BackupOrder, files: list[ManifestFile], recipe: Recipe, trust: Trust | None
) -> Manifest:
    signer = None if trust is None else trust.signer
    return Manifest(
        strongroom_version=__version__,
        namespace=task.order.namespace,
        policy=backup.policy,
        policy_uid=backup.policy_uid,
        run=backup.run,
        run_uid=task.order.run_uid,
        reason=backup.reason,
        slot=backup.slot,
        started_at=task.started_at,
        finished_at=datetime.now(UTC),
        outcome=decide_outcome(backup.sources, files),
        compression=backup.compression,
        encryption=None if recipe.cipher is None else recipe.cipher.describe(),
        recovery_point=recipe.prefix,
        signed_by=None if signer is None else signer.public.key_id,
        files=files,
    )


def _prune(
    task: Task, backup: BackupOrder, copies: Copies, trust: Trust | None, *, is_partial: bool
) -> list[RetentionOutcome]:
    """Nothing is deleted unless the run is a success, and nowhere but in stores that hold what it has made."""
    task.progress.enter("Prune")
    why = "files changed while they were read" if is_partial else None
    if copies.shortage(backup.min_copies) is not None:
        why = "the backup did not reach as many stores as it must"

    def prune(name: str, store: Store) -> RetentionOutcome:
        if why is None and name in copies.good:
            return prune_store(name, store, task.order, backup, task.ending.check, trust)
        return blocked_outcome(name, backup.retention, why or "the store lacks the backup just made")

    return [prune(name, store) for name, store in copies.stores.items()]


def _report(task: Task, backup: BackupOrder, copies: Copies, trust: Trust | None) -> list[StoreReport]:
    """What the stores say at the end; nothing when the worker is to end, for they are listed once more."""

    def count(_name: str, store: Store) -> tuple[int, int]:
        catalogue = read_catalogue(store, task.order.namespace, backup.policy, trust)
        return len(catalogue.points), catalogue.total_bytes

    return [] if task.ending.is_asked else report_stores(copies, count, task.secrets.hide)
