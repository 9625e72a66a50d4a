"""A run that was committed before its worker died: its recovery point is proved again, and completed where it lacks."""

from collections.abc import Mapping

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, SIGNATURE_NAME
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.worker.catalogue import Catalogue, CommittedPoint, read_whole
from strongroom.worker.copying import Copies
from strongroom.worker.progress import ProgressLines
from strongroom.worker.replicating import Point, Replication, prove_holders, write_mark


def adopt_point(
    copies: Copies,
    catalogues: Mapping[str, Catalogue],
    run_uid: str,
    cipher: Cipher | None,
    progress: ProgressLines,
) -> Point | None:
    """The run's recovery point, proved in every good store; None if no store has committed one.

    Stores that lack it get a copy of a proved one. A store whose copy is broken is given up. `cipher` is the order's.
    """
    found = {
        name: committed
        for name, catalogue in catalogues.items()
        if name in copies.good and (committed := catalogue.point_of_run(run_uid)) is not None
    }
    if not found:
        return None
    _give_up_incomplete(copies, found)
    holders = {name: store for name, store in copies.good.items() if name in found}
    if not holders:
        raise next(iter(copies.failures.values()))
    point = _read(next(iter(holders)), copies, found, cipher)
    progress.enter("ReadBack")
    origins = prove_holders(point, copies, holders)
    if not origins:
        raise next(iter(copies.failures.values()))
    targets = {name: store for name, store in copies.good.items() if name not in found}
    if targets:
        progress.enter("CatchUp")
        Replication(point, copies, origins, progress, lambda _, store: write_mark(store, point)).run(targets)
    return point


def _give_up_incomplete(copies: Copies, found: Mapping[str, CommittedPoint]) -> None:
    for name, point in found.items():
        if not point.proved:
            words = f"store {name}: {point.prefix} is committed, and files of it are missing"
            copies.failures[name] = StrongroomError(Reason.ArtifactCorrupt, words)


def _read(name: str, copies: Copies, found: Mapping[str, CommittedPoint], cipher: Cipher | None) -> Point:
    """The point with its bytes, from one holder."""
    store, committed = copies.stores[name], found[name]
    is_signed = committed.manifest.signed_by is not None
    return Point(
        prefix=committed.prefix,
        manifest=committed.manifest,
        content=read_whole(store, f"{committed.prefix}/{MANIFEST_NAME}"),
        signature=read_whole(store, f"{committed.prefix}/{SIGNATURE_NAME}") if is_signed else None,
        cipher=cipher,
    )
