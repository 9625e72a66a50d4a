"""From a source's fields to the place that its backup goes back to, and the way in which it is exchanged there."""

import os
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.filesources import ConfigSource, ContainerPath, FilesSource
from strongroom.api.result import Artifact
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container, match_containers
from strongroom.engine.projectfiles import find_project_files
from strongroom.engine.volumes import HostPath, find_volume, has_volume, resolve_mount
from strongroom.sources.files.places import Places
from strongroom.sources.files.restoring.carrying import Carrier
from strongroom.sources.files.restoring.configuration import ConfigRestoration
from strongroom.sources.files.restoring.exchanges import EntryWise, Exchange, OneStep
from strongroom.sources.files.restoring.fileplans import Top
from strongroom.sources.files.restoring.renaming import exists, mount_points
from strongroom.sources.files.restoring.trees import FileRestoration, Goal, TreeRestoration, Unmade
from strongroom.sources.files.restoring.works import Work, work_name
from strongroom.sources.files.roots import descend
from strongroom.sources.files.selection import Selection

_STAYS = "what its patterns leave out stays as it is (include, exclude)"
_ENTRYWISE = "its root keeps its name, for it is mounted: what is in it is exchanged entry by entry"


@dataclass(frozen=True)
class Surroundings:
    """What a restoration needs of its worker. `special`: devices and rights of programs come back, too."""

    request_uid: str
    places: Places
    engine: Callable[[], Engine]
    special: bool = False
    scratch: Path = Path()


@dataclass(frozen=True)
class Spot:
    """Where something goes. `into`: in people's words; `is_mount`: its root keeps its name."""

    place: bytes
    into: str
    kind: Literal["folder", "volume"]
    is_mount: bool = False


@dataclass(frozen=True)
class Room:
    """Where everything goes in mode Directory: a folder of the host, a volume, or a cluster's claim."""

    path: str | None = None
    volume: str | None = None
    claim: str | None = None


def restore_files(
    around: Surroundings, artifact: Artifact, files: FilesSource, *, replaces: bool
) -> TreeRestoration:
    """The restoration in place of what was read; `replaces`: see Goal. Raises TargetMissing, Unsupported, and what asking the Engine raises."""
    what = f"source {artifact.source}"
    spot = _find_spot(around, files, what)
    selection = Selection(files.include, files.exclude, what)
    _refuse_mounts(spot, selection, what)
    carrier = None if selection.takes_all else Carrier(selection)
    work, kept_as = _work(around, artifact.source, spot)
    goal = Goal(
        artifact=artifact,
        what=what,
        into=spot.into,
        place=spot.place,
        kept_as=kept_as,
        kind=spot.kind,
        special=around.special,
        replaces=replaces,
        remarks=(
            *([f"{what}: {_STAYS}"] if carrier else []),
            *([f"{what}: {_ENTRYWISE}"] if spot.is_mount else []),
        ),
    )
    exchange: Exchange = (
        EntryWise(work, spot.place, carrier) if spot.is_mount else OneStep(work, spot.place, carrier)
    )
    return TreeRestoration(goal, work, exchange)


def restore_config(
    around: Surroundings, artifact: Artifact, config: ConfigSource, *, replaces: bool
) -> ConfigRestoration:
    """The restoration in place of configuration; `replaces`: see Goal. Raises ContainerNotFound for a project that has no containers any more."""
    what = f"source {artifact.source}"
    tops, kept_as = find_tops(around, artifact.source, config)
    goal = Goal(
        artifact=artifact,
        what=what,
        into=f"configuration of {artifact.source}",
        place=tops[0].place,
        kept_as=kept_as,
        kind="folder",
        special=around.special,
        replaces=replaces,
        remarks=(f"{what}: only files that differ are exchanged; files that the backup does not hold stay",),
    )
    return ConfigRestoration(goal, tops, around.scratch)


def find_tops(around: Surroundings, source: str, config: ConfigSource) -> tuple[list[Top], str]:
    """The files and folders that a config source names, each with its private folder; and what the first one is called."""
    named = list(config.paths)
    if config.project is not None:
        found = find_project_files(around.engine(), config.project, f"source {source}: config.project")
        outside = [
            path
            for path in (*found.compose, *found.environment)
            if not PurePosixPath(path).is_relative_to(found.folder)
        ]
        named += [found.folder, *outside]
    tops = [_top(around, source, os.path.normpath(path)) for path in dict.fromkeys(named)]
    return tops, f"{os.fsdecode(os.path.basename(tops[0].work.folder))} in or beside {named[0]}"  # noqa: PTH119


def _top(around: Surroundings, source: str, path: str) -> Top:
    place = os.fsencode(os.path.realpath(around.places.of_path(path)))
    name = b"/" + work_name(around.request_uid, f"{source}{path}")
    beside = os.path.dirname(place) + name  # noqa: PTH120
    # A folder that is gone is made by the restore, and is there afterwards.
    inside = os.path.isdir(place) and not exists(beside)  # noqa: PTH112
    return Top(os.fsencode(path), place, Work(place + name if inside else beside))


def find_work(around: Surroundings, source: str, files: FilesSource) -> tuple[Work, str]:
    """The private folder of a restoration in place, and what people call it."""
    return _work(around, source, _find_spot(around, files, f"source {source}"))


def restore_into_folder(
    around: Surroundings, artifact: Artifact, room: Room, *, name: str
) -> TreeRestoration:
    """The restoration into a new or empty folder, volume or claim: as the folder or file `name` there."""
    what = f"{artifact.kind} of source {artifact.source}"
    if room.volume is not None and not _has_volume(around, room.volume):
        return Unmade(artifact, what, f"{room.volume}/{name}")
    root, into = _find_root(around, room)
    place = root + b"/" + os.fsencode(name)
    work = Work(root + b"/" + work_name(around.request_uid, artifact.file))
    goal = Goal(
        artifact=artifact,
        what=what,
        into=f"{into}/{name}",
        place=place,
        kept_as=f"{into}/{os.fsdecode(os.path.basename(work.folder))}",  # noqa: PTH119
        kind="folder",
        special=around.special,
        root=root,
    )
    kind = TreeRestoration if artifact.kind in {"files", "config"} else FileRestoration
    return kind(goal, work, OneStep(work, place))


def _has_volume(around: Surroundings, name: str) -> bool:
    """Whether it is there. The host's agent makes it for a restore, and for a plan it stays as it is."""
    if around.places.is_isolated:
        return name in around.places.volumes
    return has_volume(around.engine(), name)


def _find_root(around: Surroundings, room: Room) -> tuple[bytes, str]:
    if room.claim is not None:
        return os.fsencode(around.places.of_claim(room.claim)), room.claim
    if room.volume is not None:
        return os.fsencode(_volume_place(around, room.volume, "spec.target.volume")), room.volume
    if room.path is None:
        raise StrongroomError(Reason.InvalidOrder, "mode Directory: no folder, volume or claim is named")
    return os.fsencode(os.path.realpath(around.places.of_path(room.path))), room.path


def _find_spot(around: Surroundings, files: FilesSource, what: str) -> Spot:
    if files.volume is not None:
        place = _volume_place(around, files.volume, f"{what}: files.volume")
        return Spot(os.fsencode(place), files.volume, "volume", is_mount=True)
    if files.path is not None:
        place = os.path.realpath(around.places.of_path(files.path))
        is_mount = os.fsencode(place) in mount_points()
        return Spot(os.fsencode(place), files.path, "folder", is_mount=is_mount)
    if files.persistent_volume_claim is not None:
        place = around.places.of_claim(files.persistent_volume_claim)
        return Spot(os.fsencode(place), files.persistent_volume_claim, "volume", is_mount=True)
    if files.in_container is None:
        raise StrongroomError(Reason.InvalidSpec, f"{what}: files: no place is named")
    return _find_mounted(around, files.in_container, f"{what}: files.inContainer")


def _find_mounted(around: Surroundings, wanted: ContainerPath, what: str) -> Spot:
    """Where the mount is that holds the path. The container itself may be stopped: that is what restores do."""
    engine = around.engine()
    found = resolve_mount(engine, _find_container(engine, wanted, what), wanted.path)
    into = f"{wanted.container}:{wanted.path}".removeprefix("container ")
    if found is None:
        raise StrongroomError(
            Reason.Unsupported,
            f"{what}: {into} is in the container's own layer, which is lost with it: restore it into a folder (mode Directory), "
            "and put it on a volume",
        )
    place = _place_of(around, found, what)
    is_mount = not found.rest and os.path.isdir(place)  # noqa: PTH112 - as in this room
    return Spot(os.fsencode(place), into, "folder", is_mount=is_mount)


def _place_of(around: Surroundings, found: HostPath, what: str) -> str:
    if found.volume is not None:
        root = around.places.of_volume(found.volume) or found.root
    elif around.places.is_isolated:
        return _unlinked(around.places.of_path(found.path), what)
    else:
        root = found.root
    above, _, last = found.rest.rpartition("/")
    below = descend(root, above, what)
    return _unlinked(posixpath.join(below, last) if last else below, what)


def _unlinked(place: str, what: str) -> str:
    if os.path.islink(place):  # noqa: PTH114
        raise StrongroomError(
            Reason.InvalidSpec, f"{what}: {place} is a symbolic link: name what it leads to"
        )
    return place


def _find_container(engine: Engine, wanted: ContainerPath, what: str) -> Container:
    found = match_containers(engine, wanted.container)
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "none"
        reason = Reason.ContainerAmbiguous if found else Reason.ContainerNotFound
        raise StrongroomError(
            reason, f"{what}: {wanted.container} must mean one container, and means {names}"
        )
    return found[0]


def _volume_place(around: Surroundings, name: str, what: str) -> str:
    place = around.places.of_volume(name)
    if place is not None:
        return place
    try:
        return find_volume(around.engine(), name, what).mountpoint
    except StrongroomError as error:
        if error.reason is not Reason.SourceMissing:
            raise
        raise StrongroomError(Reason.TargetMissing, f"{error.message}: create it first") from error


def _refuse_mounts(spot: Spot, selection: Selection, what: str) -> None:
    """Unsupported for what is mounted below: it would be moved away with the old."""
    below = spot.place + b"/"
    for mount in mount_points():
        if mount.startswith(below) and selection.takes(mount.removeprefix(below), is_folder=True):
            raise StrongroomError(
                Reason.Unsupported,
                f"{what}: {os.fsdecode(mount)} is mounted inside of {spot.into}: make it a source of its own, and leave it out "
                "here (files.exclude)",
            )


def _work(around: Surroundings, source: str, spot: Spot) -> tuple[Work, str]:
    """The private folder: inside of a mount, else beside; and what people call it."""
    name = work_name(around.request_uid, source)
    above = spot.place if spot.is_mount else os.path.dirname(spot.place)  # noqa: PTH120
    words = spot.into if spot.is_mount else os.path.dirname(spot.into.rstrip("/"))  # noqa: PTH120
    if not spot.is_mount and not around.places.is_isolated and ":" not in spot.into:
        words = os.fsdecode(above)  # links on the way to it are followed
    return Work(above.rstrip(b"/") + b"/" + name), f"{words}/{os.fsdecode(name)}"
