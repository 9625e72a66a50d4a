"""A backup: stores first, then sources, artifacts, proofs, the manifest, and only then retention."""

import functools
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from strongroom import __version__
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import (
    MANIFEST_NAME,
    Manifest,
    ManifestFile,
    policy_prefix,
    recovery_point_prefix,
)
from strongroom.api.result import LISTED_TABLES, RetentionOutcome, StoreReport
from strongroom.api.workorder import BackupOrder
from strongroom.pipeline.encryption.building import build_cipher
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.sources.reading import Reading
from strongroom.stores.store import Store
from strongroom.worker.adopting import adopt_point
from strongroom.worker.attempt import Attempt
from strongroom.worker.catalogue import Catalogue, describe_untrusted, read_catalogue
from strongroom.worker.copying import Copies
from strongroom.worker.hooking import hooked
from strongroom.worker.making import Made, Recipe, make_artifact, prove_artifact
from strongroom.worker.partiality import decide_outcome, partial_failure
from strongroom.worker.planning import plan_sources
from strongroom.worker.plausibility import expected_bytes, refuse_implausible
from strongroom.worker.pruning import blocked_outcome, prune_store
from strongroom.worker.signatures import Trust, build_trust
from strongroom.worker.storechecks import open_stores, report_stores
from strongroom.worker.task import Done, Task

log = logging.getLogger(__name__)


def run_backup(task: Task, backup: BackupOrder) -> tuple[Done, StrongroomError | None]:
    """Carry out the order. The error is that of a store which was given up while another one holds the backup.

    Raises StrongroomError when no store holds it; then nothing of it is visible.
    """
    task.progress.enter("Connect")
    copies = open_stores(task.order.stores, task.secrets)
    copies.each(lambda _, store: store.probe())
    with ExitStack() as claims:
        _claim(claims, copies, policy_prefix(task.order.namespace, backup.policy))
        return _back_up(task, backup, copies)


def _claim(claims: ExitStack, copies: Copies, prefix: str) -> None:
    """Keep every other worker away from the policy's keys: two of one order would commit it twice, and sweep each other.

    One store that is claimed by another ends this order: the other worker may be at this very run.
    """

    def claim(_name: str, store: Store) -> None:
        claims.enter_context(store.claim(prefix))

    copies.each(claim)
    busy = (error for error in copies.failures.values() if error.reason is Reason.TargetBusy)
    if (error := next(busy, None)) is not None:
        raise error


def _back_up(task: Task, backup: BackupOrder, copies: Copies) -> tuple[Done, StrongroomError | None]:
    cipher = _build_cipher(task, backup)
    trust = build_trust(backup.signing, task.secrets.read)
    catalogues = copies.each(
        lambda _, store: read_catalogue(store, task.order.namespace, backup.policy, trust)
    )
    _warn(catalogues)
    adopted = adopt_point(copies, catalogues, task.order.run_uid, cipher)
    if adopted is not None:
        prefix, manifest = adopted.prefix, adopted.manifest
        task.ending.put_off()
    else:
        prefix, manifest = _make_point(task, backup, copies, catalogues, cipher, trust)
    partial = partial_failure(manifest)
    failure = next(iter(copies.failures.values()), partial)
    retention = _prune(task, backup, copies, trust, is_partial=partial is not None)
    done = Done(
        recovery_point=prefix,
        artifacts=[file.artifact for file in manifest.files],
        copies=copies.report(f"{prefix}/{MANIFEST_NAME}", task.secrets.hide),
        retention=retention,
        stores=_report(task, backup, copies, trust),
    )
    return done, failure


def _build_cipher(task: Task, backup: BackupOrder) -> Cipher | None:
    """Before anything is read: keys that do not fit are found at once."""
    if backup.encryption is None:
        return None
    return build_cipher(backup.encryption, task.secrets.read, task.scratch)


def _warn(catalogues: Mapping[str, Catalogue]) -> None:
    """Tell of what does not count as soon as it is seen: the run may not come to retention."""
    for name, catalogue in catalogues.items():
        if (words := describe_untrusted(catalogue.untrusted)) is not None:
            log.warning(
                "store %s: %d recovery points do not count: %s", name, len(catalogue.untrusted), words
            )


def _make_point(
    task: Task,
    backup: BackupOrder,
    copies: Copies,
    catalogues: Mapping[str, Catalogue],
    cipher: Cipher | None,
    trust: Trust | None,
) -> tuple[str, Manifest]:
    readings = plan_sources(task, backup)
    recipe = Recipe(
        prefix=_free_prefix(task, backup, catalogues),
        compression=backup.compression,
        level=backup.verification,
        listed_tables=max(1, LISTED_TABLES // len(readings)),
        refuse=functools.partial(refuse_implausible, backup, catalogues),
        cipher=cipher,
    )
    task.progress.expected_bytes = expected_bytes(readings, catalogues)
    attempt = Attempt(recipe.prefix, copies)
    try:
        made = _read_all(task, backup, readings, recipe, attempt)
        files = [_prove(task, each, recipe, attempt) for each in made]
        task.ending.put_off()  # whatever is asked from here on, a run that is committed has succeeded
        task.progress.enter("Commit")
        manifest = _manifest(task, backup, files, recipe, trust)
        attempt.commit(*_sealed(manifest, trust))
    finally:
        attempt.undo()
    return recipe.prefix, manifest


def _read_all(
    task: Task, backup: BackupOrder, readings: Sequence[Reading], recipe: Recipe, attempt: Attempt
) -> list[Made]:
    """Read every source inside its hooks. Nothing is proved meanwhile: services wait for the reading alone."""
    made: list[Made] = []
    with hooked(task, backup.hooks):
        for source in backup.sources:
            own = [reading for reading in readings if reading.origin.source == source.name]
            with hooked(task, source.hooks, source.name):
                made += [_make(task, reading, recipe, attempt) for reading in own]
    return made


def _make(task: Task, reading: Reading, recipe: Recipe, attempt: Attempt) -> Made:
    task.progress.enter("Dump", reading.origin.source, reading.origin.database)
    return make_artifact(reading, recipe, attempt.copies, task.progress, attempt.own)


def _prove(task: Task, made: Made, recipe: Recipe, attempt: Attempt) -> ManifestFile:
    origin = made.reading.origin
    task.progress.enter("ReadBack", origin.source, origin.database)
    return prove_artifact(made, recipe, attempt.copies)


def _free_prefix(task: Task, backup: BackupOrder, catalogues: Mapping[str, Catalogue]) -> str:
    """The first attempt's prefix that no store has a key under."""
    attempt = 1
    while True:
        prefix = recovery_point_prefix(task.order.namespace, backup.policy, backup.slot, backup.run, attempt)
        if not any(catalogue.uses_prefix(prefix) for catalogue in catalogues.values()):
            return prefix
        attempt += 1


def _sealed(manifest: Manifest, trust: Trust | None) -> tuple[bytes, bytes | None]:
    """Its bytes, and their signature where the policy signs."""
    content = manifest.model_dump_json(by_alias=True, indent=1).encode()
    signer = None if trust is None else trust.signer
    return content, None if signer is None else signer.sign(content)


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
    task.progress.enter("Prune")
    if copies.failures or is_partial:
        why = (
            "the backup did not reach every store"
            if copies.failures
            else "files changed while they were read"
        )
        return [blocked_outcome(name, backup.retention, why) for name in copies.stores]
    return [
        prune_store(name, store, task.order, backup, task.ending.check, trust)
        for name, store in copies.stores.items()
    ]


def _report(task: Task, backup: BackupOrder, copies: Copies, trust: Trust | None) -> list[StoreReport]:
    """What the stores say at the end; nothing when the worker is to end, for they are listed once more."""

    def count(_name: str, store: Store) -> tuple[int, int]:
        catalogue = read_catalogue(store, task.order.namespace, backup.policy, trust)
        return len(catalogue.points), catalogue.total_bytes

    return [] if task.ending.is_asked else report_stores(copies, count, task.secrets.hide)
