"""A run that was committed before its worker died: its recovery point is proved again, and completed where it lacks."""

from collections.abc import Mapping

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, SIGNATURE_NAME, ManifestFile
from strongroom.pipeline.digests import Fingerprint
from strongroom.pipeline.encryption.authentication import Authentication
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.reading import pump
from strongroom.sources.files.checks import CountCheck
from strongroom.stores.store import Store
from strongroom.worker.catalogue import Catalogue, CommittedPoint
from strongroom.worker.copying import Copies
from strongroom.worker.readback import Written, read_back


def adopt_point(
    copies: Copies, catalogues: Mapping[str, Catalogue], run_uid: str, cipher: Cipher | None
) -> CommittedPoint | None:
    """The run's recovery point, proved in every good store; None if no store has committed one.

    Stores that lack it get a copy of a proved one. A store whose copy is broken is given up. `cipher` is the order's.
    """
    holders = {
        name: point
        for name, catalogue in catalogues.items()
        if name in copies.good and (point := catalogue.point_of_run(run_uid)) is not None
    }
    if not holders:
        return None
    copies.each(lambda name, store: _prove(store, holders[name], cipher) if name in holders else None)
    origin = next((name for name in copies.good if name in holders), None)
    if origin is None:
        raise next(iter(copies.failures.values()))
    point, source = holders[origin], copies.stores[origin]
    copies.each(
        lambda name, store: (
            None if name in holders else _replicate(source, store, point, catalogues[name], cipher)
        )
    )
    return point


def _prove(store: Store, point: CommittedPoint, cipher: Cipher | None) -> None:
    if not point.proved:
        raise StrongroomError(
            Reason.ArtifactCorrupt, f"{point.prefix} is committed, and files of it are missing"
        )
    for file in point.manifest.files:
        _prove_file(store, point, file, cipher)


def _prove_file(store: Store, point: CommittedPoint, file: ManifestFile, cipher: Cipher | None) -> None:
    artifact = file.artifact
    written = Written(
        key=f"{point.prefix}/{artifact.file}",
        codec=point.manifest.compression.codec,
        stored=Fingerprint(artifact.stored_bytes, artifact.stored_sha256),
        plain=Fingerprint(artifact.plain_bytes, artifact.plain_sha256),
        cipher=cipher,
        authentication=_authentication(point, cipher),
        tag=file.hmac_sha256,
    )
    counted = artifact.kind in {"files", "config"}
    read_back(store, written, (lambda: CountCheck(artifact)) if counted else None)


def _replicate(
    source: Store, target: Store, point: CommittedPoint, present: Catalogue, cipher: Cipher | None
) -> None:
    """Copy what is missing, prove all of it, then write the manifest."""
    for file in point.manifest.files:
        key = f"{point.prefix}/{file.artifact.file}"
        if key not in present.keys:
            _copy(source, target, key)
        _prove_file(target, point, file, cipher)
    signature = f"{point.prefix}/{SIGNATURE_NAME}"
    if point.manifest.signed_by is not None and signature not in present.keys:
        _copy(source, target, signature)
    _copy(source, target, f"{point.prefix}/{MANIFEST_NAME}")


def _copy(source: Store, target: Store, key: str) -> None:
    with source.open(key) as reader, target.create(key) as writer:
        pump(reader, writer)
        writer.commit()


def _authentication(point: CommittedPoint, cipher: Cipher | None) -> Authentication | None:
    """That of the point: each run has a salt of its own."""
    if cipher is None or cipher.authentication is None:
        return None
    applied = point.manifest.encryption
    if applied is None or applied.authentication_salt is None:
        raise StrongroomError(
            Reason.ArtifactCorrupt, f"the manifest of {point.prefix} lacks the salt of its files' HMAC-SHA256"
        )
    return cipher.authentication.with_salt(bytes.fromhex(applied.authentication_salt))
