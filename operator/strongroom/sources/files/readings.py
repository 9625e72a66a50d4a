"""From a source's fields to the reading of its tree."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.filesources import ContainerPath, FilesSource, OnChange
from strongroom.api.result import ArtifactKind, VerificationLevel
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container, find_container
from strongroom.engine.volumes import HostPath, find_volume, resolve_mount
from strongroom.sources.files.archiving import OPTIONS, Tar, TarStream, find_tar
from strongroom.sources.files.checks import FilesCheck, Ledger
from strongroom.sources.files.incontainer import Place, plan_container
from strongroom.sources.files.messages import Messages
from strongroom.sources.files.places import Places
from strongroom.sources.files.roots import Root, build_root, descend
from strongroom.sources.files.selection import Selection
from strongroom.sources.files.walking import Walk, stored_name
from strongroom.sources.reading import Check, Origin, Reading

_CAP_SYS_ADMIN = 1 << 21


@dataclass(frozen=True)
class FilesReading:
    """See Reading: a tree of files. It is started once; what is read back later is compared with that one stream."""

    origin: Origin
    tar: Tar
    root: Root
    ledger: Ledger
    on_change: OnChange
    estimated_bytes: int | None = None

    @property
    def file_name(self) -> str:
        """See Reading."""
        return f"{self.origin.source}.tar"

    def start(self) -> TarStream:
        """See Reading."""
        return TarStream(self.tar, self.root.folder, self.ledger)

    def start_check(self, level: VerificationLevel) -> Check:  # noqa: ARG002 - a tar stream is read whole at either level
        """See Reading."""
        return FilesCheck(self.ledger, self.on_change)


@dataclass(frozen=True)
class Choice:
    """What is taken of a root, and how it is judged."""

    source: str
    kind: ArtifactKind
    where: str
    """The place, in the policy's words."""
    include: Sequence[str]
    exclude: Sequence[str]
    on_change: OnChange
    allow_empty: bool
    lacking: Sequence[str] = ()
    """What is known not to be in it, beside what patterns leave out."""


def plan_files(
    source: str, files: FilesSource, places: Places, engine: Callable[[], Engine], marker: str
) -> list[Reading]:
    """Find the tree and look whether there is anything in it. `marker`: what programs bear that run inside containers.

    Raises SourceMissing, SourceEmpty, ReadFailed, InvalidSpec, ClientMissing; and for a container what `find_container` does.
    """
    if files.in_container is not None:
        found = _find_mounted(source, files, files.in_container, places, engine())
        if isinstance(found, Container):
            return [plan_container(source, files, Place(engine(), found, files.in_container.path, marker))]
        place = found
    else:
        place = _find_place(source, files, places, engine)
    root = build_root(place, f"source {source}")
    choice = Choice(
        source=source,
        kind="files",
        where=str(files),
        include=files.include,
        exclude=files.exclude,
        on_change=files.on_change,
        allow_empty=files.allow_empty,
    )
    return [build_reading(root, choice)]


def build_reading(root: Root, choice: Choice) -> Reading:
    """The reading of that root. SourceEmpty without a single file, unless that is allowed."""
    tar = find_tar()
    selection = Selection(choice.include, choice.exclude, f"source {choice.source}")
    look = Walk(choice.source, root.trees, selection)
    if not choice.allow_empty and not any(look.files for _ in look):
        raise StrongroomError(
            Reason.SourceEmpty, f"source {choice.source}: there is no file in {choice.where}"
        )
    origin = Origin(
        source=choice.source,
        kind=choice.kind,
        database=None,
        client_version=tar.version,
        options=list(OPTIONS),
        not_included=_not_taken(choice),
    )
    ledger = Ledger(
        Walk(choice.source, root.trees, selection),
        Messages(lambda given: stored_name(root.trees, given)),
        choice.where,
        choice.allow_empty,
    )
    return FilesReading(origin, tar, root, ledger, choice.on_change)


def _find_place(source: str, files: FilesSource, places: Places, engine: Callable[[], Engine]) -> str:
    """Where the tree is for this worker."""
    if files.path is not None:
        return places.of_path(files.path)
    if files.volume is not None:
        what = f"source {source}: files.volume"
        return places.of_volume(files.volume) or find_volume(engine(), files.volume, what).mountpoint
    if files.persistent_volume_claim is not None:
        return places.of_claim(files.persistent_volume_claim)
    raise StrongroomError(Reason.InvalidSpec, f"source {source}: files: no place is named")


def _find_mounted(
    source: str, files: FilesSource, wanted: ContainerPath, places: Places, engine: Engine
) -> str | Container:
    """Where the mount is that holds the path; the container itself if it is in its own layer."""
    what = f"source {source}: files.inContainer"
    container = find_container(engine, wanted.container, what)
    found = resolve_mount(engine, container, wanted.path)
    if found is None:
        return container
    _refuse_covered(
        found, Selection((), files.exclude, f"source {source}"), f"{what}: {wanted.path} in {container}"
    )
    place = None if found.volume is None else places.of_volume(found.volume)
    if found.volume is None:
        place = places.of_path(found.root)
    return descend(place or found.root, found.rest, what)


def _refuse_covered(found: HostPath, left_out: Selection, what: str) -> None:
    """InvalidSpec where the container sees files of another mount below the path, which would be missing without a word."""
    for way in found.covered:
        if left_out.takes(os.fsencode(way), is_folder=True):
            raise StrongroomError(
                Reason.InvalidSpec,
                f"{what}: at {way} in it lies another mount, which is not read with it: make that a source of its own, and "
                f"leave it out here (files.exclude: /{way}/)",
            )


def _not_taken(choice: Choice) -> list[str]:
    """What is in the tree and not in the archive, as far as it is known beforehand."""
    lacking = [f"files matching {pattern}" for pattern in choice.exclude]
    if choice.include:
        lacking.insert(0, f"files that match none of: {' '.join(choice.include)}")
    if not _sees_every_attribute():
        lacking.append("extended attributes that only root can read")
    return [*choice.lacking, *lacking]


def _sees_every_attribute() -> bool:
    """Whether attributes `trusted.…` are shown to us (xattr(7)): root in a container is not mighty enough."""
    lines = Path("/proc/thread-self/status").read_bytes().splitlines()
    effective = next(line.split()[1] for line in lines if line.startswith(b"CapEff:"))
    return bool(int(effective, 16) & _CAP_SYS_ADMIN)
