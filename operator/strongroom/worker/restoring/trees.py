"""Files and configuration of a recovery point."""

from collections.abc import Iterator, Sequence

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.api.restoreorder import RestoreOrder
from strongroom.api.restoring import Replaced
from strongroom.api.sources import Source
from strongroom.sources.restoration import Restoration
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.task import Task


def build_trees(
    task: Task,  # noqa: ARG001 - for those that come
    order: RestoreOrder,
    shelf: Shelf,  # noqa: ARG001
    files: Sequence[ManifestFile],
) -> Iterator[tuple[ManifestFile, Restoration]]:
    """The restoration of each tree."""
    names = ", ".join(sorted({file.artifact.source for file in files}))
    raise StrongroomError(
        Reason.Unsupported,
        f"mode {order.mode}: this version does not restore files and configuration: {names}",
    )


def drop_tree(task: Task, source: Source, replaced: Replaced) -> None:  # noqa: ARG001 - for those that come
    """Remove the folder or volume that was replaced."""
    raise StrongroomError(
        Reason.Unsupported, f"source {source.name}: this version does not replace files: {replaced.kept_as}"
    )
