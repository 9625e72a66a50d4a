"""What of the host a worker's container sees: its Job's own files, what its order reads or restores, and its stores.

Paths of sources are at fixed places, read-only unless something is restored there; stores are at the paths that their
specifications name.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from strongroom.agent.asks import (
    ContainerAsk,
    PathAsk,
    ProjectAsk,
    StoreAsk,
    VolumeAsk,
    list_asks,
)
from strongroom.agent.permissions import own_folder
from strongroom.agent.restoremounts import find_seats
from strongroom.agent.working import Launch
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.workorder import WorkOrder
from strongroom.engine.workercontainers import Bind

BASE = PurePosixPath("/strongroom")
ORDER = str(BASE / "order.json")
SECRETS = str(BASE / "secrets")
OUTPUT = str(BASE / "output")
SCRATCH = str(BASE / "scratch")
JOURNAL = str(BASE / "journal")
WRITING = frozenset(["Restore", "DropReplaced"])
"""Kinds that change what they restore into; others look at it."""
MOUNTS = str(BASE / "mounts.json")
ENGINE = str(BASE / "engine")
USERS = "/etc/passwd"


_RESTORING = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
"""To give files their owners, modes and times back; the last one for folders whose group is handed down."""
_SPECIAL = ("MKNOD", "SETFCAP")
"""To make devices, and programs with capabilities: only where the request allows them."""


@dataclass(frozen=True)
class Sights:
    """What the order's sources are to the worker: volumes by name and paths of the host, each to its place in the container."""

    volumes: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    writes: bool = False
    """Whether they are restored into."""

    def without(self, volume: str | None) -> "Sights":
        """But for that volume."""
        return replace(self, volumes={name: place for name, place in self.volumes.items() if name != volume})

    def binds(self, launch: Launch) -> list[Bind]:
        """The mounts that make it so. What lies below another is no mount of its own: it could not be renamed."""
        volumes = [Bind(name, place, self.writes, volume=True) for name, place in self.volumes.items()]
        places = {place: str(launch.view.real(path)) for path, place in self.paths.items()}
        tops = [place for place in places if not _is_below(place, places)]
        return [*volumes, *(Bind(places[place], place, self.writes) for place in tops)]


def find_sights(launch: Launch) -> Sights:
    """Everything that the order's sources read, or that it restores into. Looks at the file system.

    Raises SourceMissing and TargetMissing for a path that is not there.
    """
    asks, view = list_asks(launch.order), launch.view
    if launch.order.backup is None:
        seats = find_seats(launch, asks)
        return _sights(seats.volumes, seats.paths, writes=launch.order.kind in WRITING)
    volumes = [ask.name for ask in asks if isinstance(ask, VolumeAsk)]
    paths: dict[str, str] = {}
    for ask in asks:
        if isinstance(ask, PathAsk):
            if not os.path.lexists(view.real(ask.path)):
                raise StrongroomError(Reason.SourceMissing, f"{ask.what}: {ask.path} does not exist")
            paths[ask.path] = str(view.real(ask.path))
        for each in view.containers.get(ask, ()):
            if isinstance(ask, ProjectAsk):
                folder = own_folder(each, view)
                files = [each.folder or ""] if folder is not None else []
                files += [path for path in each.project_files if os.path.lexists(view.real(path))]
                paths |= {path: str(view.real(path)) for path in files}
            elif isinstance(ask, ContainerAsk) and ask.path is not None:
                mount = each.mount_of(ask.path)
                if mount is not None and mount.volume is not None:
                    volumes.append(mount.volume)
                elif mount is not None:
                    paths[mount.source] = str(view.real(mount.source))
    return _sights(volumes, paths)


def _sights(volumes: Sequence[str], paths: Mapping[str, str], *, writes: bool = False) -> Sights:
    places = {name: str(BASE / "volumes" / name) for name in dict.fromkeys(volumes)}
    return Sights(places, _places(paths), writes)


def _is_below(place: str, others: Iterable[str]) -> bool:
    return any(PurePosixPath(each) in PurePosixPath(place).parents for each in others)


def _places(paths: Mapping[str, str]) -> dict[str, str]:
    """A place for every path; what lies below another is at its place there."""
    places: dict[str, str] = {}
    tops: dict[PurePosixPath, PurePosixPath] = {}
    for path, real in sorted(paths.items(), key=lambda each: len(PurePosixPath(each[1]).parts)):
        wanted = PurePosixPath(real)
        top = next((known for known in tops if wanted.is_relative_to(known)), None)
        if top is None:
            top = wanted
            tops[top] = BASE / "paths" / str(len(tops))
        places[path] = str(tops[top] / wanted.relative_to(top))
    return places


def job_binds(launch: Launch) -> Iterator[Bind]:
    """The Job's own files. The worker may write its output, its scratch and its journal, and nothing else."""
    folder = launch.folder
    yield Bind(str(folder.order), ORDER)
    yield Bind(str(folder.secrets), SECRETS)
    yield Bind(str(launch.files.mounts), MOUNTS)
    yield Bind(str(launch.files.users), USERS)
    yield Bind(str(launch.files.output), OUTPUT, writable=True)
    yield Bind(str(folder.scratch), SCRATCH, writable=True)
    yield Bind(str(folder.journal), JOURNAL, writable=True)
    if launch.order.needs_engine:
        yield Bind(str(launch.files.gate), ENGINE)


def list_users(uid: int, gid: int) -> str:
    """The container's list of users (passwd(5)): ssh runs for none that is not in it, and the image knows only its own."""
    own = f"worker:x:{uid}:{gid}::{SCRATCH}:/bin/sh\n" if uid != 0 else ""
    return f"root:x:0:0::/root:/bin/sh\n{own}"


def store_binds(launch: Launch) -> Iterator[Bind]:
    """Local stores that are there; of one that is not, the worker says so itself."""
    for ask in list_asks(launch.order):
        if isinstance(ask, StoreAsk) and Path(real := str(launch.view.real(ask.path))).is_dir():
            yield Bind(real, ask.path, writable=ask.writes)


def capabilities(launch: Launch, uid: int) -> list[str]:
    """What root in the container needs beyond what it owns; nobody else could use any."""
    if uid != 0:
        return []
    asks = list_asks(launch.order)
    reads = any(
        isinstance(ask, PathAsk | VolumeAsk | ProjectAsk)
        or (isinstance(ask, ContainerAsk) and ask.use == "read")
        for ask in asks
    )
    foreign = any(Path(bind.source).stat().st_uid != uid for bind in store_binds(launch))
    if find_seats(launch, asks).any:
        return _restoring(launch.order)
    # Never DAC_READ_SEARCH: open_by_handle_at(2) opens every file of a file system by it, not only what is mounted.
    return ["DAC_OVERRIDE"] if reads or foreign else []


def _restoring(order: WorkOrder) -> list[str]:
    special = order.restore is not None and order.restore.allow_special_files
    return [*_RESTORING, *(_SPECIAL if special else ())] if order.kind in WRITING else ["DAC_OVERRIDE"]


def network(order: WorkOrder) -> str:
    """`none`, unless something is reached over the network; then the host's, where 127.0.0.1 is what the policy means."""
    reached = [source.postgres.host for source in order.touched_sources if source.postgres is not None]
    remote = order.kind != "DropReplaced" and any(store.spec.local is None for store in order.stores)
    check = order.restore.health_check if order.kind == "Restore" and order.restore is not None else None
    fetched = check is not None and check.url is not None
    return "host" if remote or fetched or any(reached) else "none"
