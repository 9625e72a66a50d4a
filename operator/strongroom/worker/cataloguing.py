"""What a store holds of a namespace, told part by part: each as much as a result can carry, and never quietly short."""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from strongroom.api.errors import StrongroomError
from strongroom.api.manifest import MANIFEST_NAME
from strongroom.api.result import (
    LARGEST_RESULT_BYTES,
    MOST_DAMAGED,
    MOST_POINTS,
    CataloguePoint,
    CatalogueReport,
)
from strongroom.api.workorder import CatalogueOrder
from strongroom.stores.store import KeyMissingError, Store, StoredKey
from strongroom.worker.catalogue import FoundManifest, is_complete, read_manifest
from strongroom.worker.copying import named
from strongroom.worker.signatures import Trust, gather_trust
from strongroom.worker.storechecks import open_stores
from strongroom.worker.task import Done, Task

_POINT_SEGMENTS = 3  # namespace, policy, recovery point
_REPORT_BYTES = LARGEST_RESULT_BYTES - 16_384
"""The rest of a result takes less than the difference."""

Keys = dict[str, StoredKey]


def run_catalogue(task: Task, wanted: CatalogueOrder) -> tuple[Done, StrongroomError | None]:
    """Tell of the recovery points after the order's prefix. A listing that fails, or a manifest that cannot be fetched, raises.

    One part keeps in memory what it tells and the keys of one recovery point, however many there are.
    """
    task.progress.enter("Catalogue")
    trust = gather_trust(wanted.trusted_keys, task.secrets.read)
    ((name, store),) = open_stores(task.order.stores, task.secrets, task.scratch).stores.items()
    listed_at, report = datetime.now(UTC), _Report()
    with named(name):
        for prefix, keys in _points(store, task.order.namespace, wanted):
            task.ending.check()
            if not _tell(report, store, prefix, keys, trust):
                break
    told = CatalogueReport(
        store=name,
        listed_at=listed_at,
        points=report.points,
        damaged=report.damaged,
        after=wanted.after,
        next=report.next,
    )
    return Done(catalogue=told), None


@dataclass
class _Report:
    """The part as far as it has come."""

    points: list[CataloguePoint] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    next: str | None = None
    _last: str | None = None
    _size_bytes: int = 0

    def add(self, prefix: str, point: CataloguePoint | None) -> bool:
        """Take it in, None for a damaged one; or say where the next part begins, and return False."""
        if point is not None and _size(prefix, point) > _REPORT_BYTES:
            point = None  # a manifest that no backup of ours has: its result could not have been told either
        size = self._size_bytes + _size(prefix, point)
        is_full = len(self.points) == MOST_POINTS or len(self.damaged) == MOST_DAMAGED
        if is_full or size > _REPORT_BYTES:
            self.next = self._last
            return False
        if point is None:
            self.damaged.append(prefix)
        else:
            self.points.append(point)
        self._last, self._size_bytes = prefix, size
        return True


def _size(prefix: str, point: CataloguePoint | None) -> int:
    """Bytes that it takes in the result, with its comma."""
    return 1 + len(
        f'"{prefix}"'.encode()
        if point is None
        else point.model_dump_json(by_alias=True, exclude_none=True).encode()
    )


def _points(store: Store, namespace: str, wanted: CatalogueOrder) -> Iterator[tuple[str, Keys]]:
    """Each committed recovery point's prefix with its keys, in the order of the keys' text, in which they lie together.

    So are those that are expected, whether the listing shows a manifest of theirs or not.
    """
    begin = "" if wanted.after is None else f"{wanted.after}/"
    expected = {prefix for prefix in wanted.expected if prefix.startswith(f"{namespace}/")}
    listed: Iterator[tuple[str, StoredKey | None]] = (
        (_prefix(found), found)
        for found in store.list(f"{namespace}/")
        if found.key.count("/") >= _POINT_SEGMENTS
    )
    known = ((prefix, None) for prefix in sorted(expected, key=_place))
    both = heapq.merge(listed, known, key=lambda each: _place(each[0]))
    for prefix, group in itertools.groupby(both, lambda each: each[0]):
        keys = {found.key: found for _, found in group if found is not None}
        if _place(prefix) > begin and (f"{prefix}/{MANIFEST_NAME}" in keys or prefix in expected):
            yield prefix, keys


def _place(prefix: str) -> str:
    return f"{prefix}/"


def _prefix(found: StoredKey) -> str:
    return "/".join(found.key.split("/")[:_POINT_SEGMENTS])


def _tell(report: _Report, store: Store, prefix: str, keys: Keys, trust: Trust) -> bool:
    """Whether it has found room in the report, or need not be told."""
    try:
        found = read_manifest(store, prefix, keys, trust)
    except KeyMissingError:  # retention has deleted it meanwhile, or it was only looked for
        return True
    if found is None or (found.manifest.namespace, found.manifest.policy) != tuple(prefix.split("/")[:2]):
        return report.add(prefix, None)
    complete = is_complete(store, keys, prefix, found.manifest)
    return report.add(prefix, _describe(prefix, found, complete=complete))


def _describe(prefix: str, found: FoundManifest, *, complete: bool) -> CataloguePoint:
    manifest = found.manifest
    return CataloguePoint(
        recovery_point=prefix,
        policy=manifest.policy,
        policy_uid=manifest.policy_uid,
        run=manifest.run,
        run_uid=manifest.run_uid,
        reason=manifest.reason,
        slot=manifest.slot,
        started_at=manifest.started_at,
        finished_at=manifest.finished_at,
        outcome=manifest.outcome,
        complete=complete,
        signature=found.verdict.signature,
        manifest_sha256=found.sha256,
        artifacts=[file.artifact.model_copy(update={"row_counts": []}) for file in manifest.files],
    )
