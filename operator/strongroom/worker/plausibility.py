"""Is what was read what is usually read? Sources that turn out empty, or far smaller than before, are refused."""

import statistics
from collections.abc import Mapping, Sequence

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.sources import Source
from strongroom.api.workorder import BackupOrder
from strongroom.pipeline.digests import Fingerprint
from strongroom.sources.reading import Contents, Origin, Reading
from strongroom.worker.catalogue import Catalogue

_RECENT = 10
"""Earlier recovery points whose median length is the usual one."""
_JUDGED = {"database", "files"}
"""Kinds of artifacts. Globals and configuration are small, and may rightly shrink to a half."""


def refuse_implausible(
    backup: BackupOrder,
    catalogues: Mapping[str, Catalogue],
    origin: Origin,
    plain: Fingerprint,
    contents: Contents,
) -> None:
    """EmptyDatabase without a table, ImplausiblySmall below the order's percentage of the usual length."""
    if origin.kind not in _JUDGED:
        return
    source = next(source for source in backup.sources if source.name == origin.source)
    what = f"source {origin.source}: " + (f'database "{origin.database}"' if origin.database else origin.kind)
    if contents.table_count == 0 and not _allows_empty(source):
        raise StrongroomError(
            Reason.EmptyDatabase,
            f"{what}: the dump holds no table with data (postgres.databases, postgres.allowEmpty)",
        )
    usual = usual_bytes(origin, catalogues)
    if usual is not None and plain.size_bytes * 100 < usual * backup.min_size_percent:
        raise StrongroomError(
            Reason.ImplausiblySmall,
            f"{what}: the dump has {plain.size_bytes} bytes, less than {backup.min_size_percent} % of the usual {usual} "
            "(minSizePercent)",
        )


def usual_bytes(origin: Origin, catalogues: Mapping[str, Catalogue]) -> int | None:
    """Median plain length of the latest verified artifacts of the same, in the store that knows most of them."""
    richest = max(catalogues.values(), key=lambda catalogue: len(catalogue.points))
    verified = (point for point in richest.points if point.verified)
    latest = sorted(verified, key=lambda point: point.manifest.slot)[-_RECENT:]
    lengths = [
        file.artifact.plain_bytes
        for point in latest
        for file in point.manifest.files
        if (file.artifact.source, file.artifact.kind, file.artifact.database, file.artifact.container)
        == (origin.source, origin.kind, origin.database, origin.container)
    ]
    return int(statistics.median(lengths)) if lengths else None


def expected_bytes(readings: Sequence[Reading], catalogues: Mapping[str, Catalogue]) -> int | None:
    """Of all readings together, from what is usual or estimated; None when nothing is known of one."""
    lengths = [usual_bytes(reading.origin, catalogues) or reading.estimated_bytes for reading in readings]
    known = [length for length in lengths if length is not None]
    return sum(known) if len(known) == len(lengths) else None


def _allows_empty(source: Source) -> bool:
    return source.postgres is not None and source.postgres.allow_empty
