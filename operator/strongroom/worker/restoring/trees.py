"""Files and configuration of a recovery point; and everything of one that is restored as files."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.api.restoreorder import RestoreOrder
from strongroom.api.restoring import Replaced
from strongroom.api.sources import Source
from strongroom.pipeline.codecs import SUFFIXES
from strongroom.pipeline.encryption.ciphers import SUFFIXES as ENCRYPTION_SUFFIXES
from strongroom.sources.files.restoring.configuration import ConfigRestoration
from strongroom.sources.files.restoring.dropping import drop_files
from strongroom.sources.files.restoring.targets import (
    Room,
    Surroundings,
    restore_config,
    restore_files,
    restore_into_folder,
)
from strongroom.sources.files.restoring.trees import TreeRestoration
from strongroom.worker.restoring.confirming import may_replace
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.task import Task


def build_trees(
    task: Task, order: RestoreOrder, shelf: Shelf, files: Sequence[ManifestFile]
) -> Iterator[tuple[ManifestFile, TreeRestoration | ConfigRestoration]]:
    """The restoration of each tree; in mode Directory that of every file."""
    around = surroundings(task, special=order.allow_special_files)
    room = Room(order.path, order.volume, order.persistent_volume_claim)
    for file in files:
        if order.mode == "Directory":
            made: TreeRestoration | ConfigRestoration = restore_into_folder(
                around, file.artifact, room, name=_name(shelf, file)
            )
        else:
            made = _restore_in_place(around, order, file)
        yield file, made


def surroundings(task: Task, *, special: bool = False) -> Surroundings:
    """What restorations of files need."""
    return Surroundings(task.order.run_uid, task.places, task.engine, special, task.scratch)


def _restore_in_place(
    around: Surroundings, order: RestoreOrder, file: ManifestFile
) -> TreeRestoration | ConfigRestoration:
    name = file.artifact.source
    source = next((each for each in order.targets if each.name == name), None)
    if source is None:
        words = f"source {name} is in the backup and not in the policy any more (from.sources)"
        raise StrongroomError(Reason.TargetMissing, words)
    if file.artifact.kind == "files" and source.files is not None:
        return restore_files(around, file.artifact, source.files, replaces=may_replace(order, file))
    if file.artifact.kind == "config" and source.config is not None:
        return restore_config(around, file.artifact, source.config, replaces=may_replace(order, file))
    raise StrongroomError(
        Reason.TargetMissing, f"source {name} is of another type in the backup ({file.artifact.kind})"
    )


def _name(shelf: Shelf, file: ManifestFile) -> str:
    """Name in the folder: the source's for a tree; else the file's own, without suffixes of what is taken off."""
    if file.artifact.kind in {"files", "config"}:
        return file.artifact.source
    name = PurePosixPath(file.artifact.file).name
    if file.artifact.encryption is not None:
        name = name.removesuffix(ENCRYPTION_SUFFIXES[file.artifact.encryption])
    return name.removesuffix(SUFFIXES[shelf.chosen.manifest.compression.codec])


def drop_tree(task: Task, source: Source, replaced: Replaced) -> bool:
    """Remove the folder or volume that was replaced; whether it was there."""
    return drop_files(surroundings(task), source, replaced)
