"""What of a recovery point is restored, and how: one restoration for each artifact that was asked for."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.api.restoreorder import Choice, RestoreOrder
from strongroom.sources.restoration import Restoration
from strongroom.worker.restoring.choosing import Chosen
from strongroom.worker.restoring.databases import Servers
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.restoring.trees import build_trees
from strongroom.worker.task import Task


@dataclass(frozen=True)
class Item:
    """One artifact on its way back. `tell` adds to the plan what only the beginning of the artifact shows."""

    file: ManifestFile
    restoration: Restoration
    tell: Callable[[], Sequence[str]]
    places: Sequence[bytes] = ()
    """Where its files are, for this worker."""
    goes_over: bool = False
    """Whether its swap fills the old place itself: it is compared afterwards, and there is no way back."""

    @property
    def source(self) -> str:
        """Name of its source."""
        return self.file.artifact.source

    @property
    def name(self) -> str:
        """For people."""
        database = self.file.artifact.database
        return (
            f'database "{database}" of source {self.source}'
            if database is not None
            else f"{self.file.artifact.kind} of {self.source}"
        )


def select_files(chosen: Chosen, choice: Choice) -> list[ManifestFile]:
    """The files that were asked for. BackupNotFound for a source or database that the recovery point does not hold."""
    files = chosen.manifest.files
    for name in choice.sources:
        if all(file.artifact.source != name for file in files):
            raise _lacking(chosen, f"source {name}", sorted({file.artifact.source for file in files}))
    files = [file for file in files if not choice.sources or file.artifact.source in choice.sources]
    databases = {file.artifact.database for file in files if file.artifact.database is not None}
    for database in choice.databases:
        if database not in databases:
            raise _lacking(chosen, f'database "{database}"', sorted(databases))
    if choice.databases:
        wanted = {*choice.databases, None}
        named = {file.artifact.source for file in files if file.artifact.database in choice.databases}
        files = [f for f in files if f.artifact.source in named and f.artifact.database in wanted]
    return files


def _lacking(chosen: Chosen, what: str, there: Sequence[str]) -> StrongroomError:
    words = f"{chosen.prefix} does not hold {what}; it holds {', '.join(there) or 'none'}"
    return StrongroomError(Reason.BackupNotFound, words)


def build_items(task: Task, order: RestoreOrder, shelf: Shelf) -> list[Item]:
    """Everything that is restored. Raises what reaching the servers raises."""
    files = select_files(shelf.chosen, order.choice)
    if order.mode == "Directory":
        return [Item(file, made, made.tell) for file, made in build_trees(task, order, shelf, files)]
    servers = Servers(task, order, shelf, files)
    databases = [file for file in files if file.artifact.kind == "database"]
    if order.mode == "NewDatabase" and len(databases) != 1:
        names = ", ".join(str(file.artifact.database) for file in databases) or "none"
        raise StrongroomError(
            Reason.InvalidSpec,
            f"mode NewDatabase restores one database, and these are chosen: {names} (from.sources, from.databases)",
        )
    items = [_database_item(servers, order, file) for file in databases]
    trees = [file for file in files if file.artifact.kind in {"files", "config"}]
    if order.mode == "InPlace" and trees:
        items += [
            Item(file, made, made.tell, made.places) for file, made in build_trees(task, order, shelf, trees)
        ]
    if not items:
        raise StrongroomError(Reason.InvalidSpec, "nothing that can be restored is chosen (from.sources)")
    return items


def _database_item(servers: Servers, order: RestoreOrder, file: ManifestFile) -> Item:
    built = servers.build(file)
    return Item(file, built, lambda: servers.tell(file), goes_over=order.strategy != "Swap")


def refuse_nested(items: Sequence[Item]) -> None:
    """InvalidSpec for a tree in another one, which takes it along when it is exchanged."""
    placed = [(item, os.path.normpath(place)) for item in items for place in item.places]
    for outer, above in placed:
        for inner, below in placed:
            is_below = below == above or below.startswith(above.rstrip(b"/") + b"/")
            if inner is outer or not is_below or outer.file.artifact.kind != "files":
                continue
            words = f"sources {outer.source} and {inner.source}: {os.fsdecode(below)} lies in {os.fsdecode(above)}, which is exchanged as a whole"
            raise StrongroomError(
                Reason.InvalidSpec,
                f"{words}: restore one after the other, by a request for each (from.sources)",
            )
