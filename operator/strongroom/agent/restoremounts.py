"""What of the host a restore's worker sees: the volumes and paths that it restores into, and nothing beyond what is allowed.

A folder is exchanged in one step where the folder above it may be written to as well; so that is shown, if it is allowed itself.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from strongroom.agent.asks import (
    Ask,
    ContainerAsk,
    RestorePathAsk,
    RestoreProjectAsk,
    RestoreVolumeAsk,
)
from strongroom.agent.permissions import own_folder
from strongroom.agent.working import Launch
from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.hostrights import opens_the_host
from strongroom.engine.inspection import Inspected


@dataclass
class Seats:
    """Volumes by name; and paths of the host, each to the place that it leads to."""

    volumes: list[str] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether something is restored at all."""
        return bool(self.volumes or self.paths)


def find_seats(launch: Launch, asks: list[Ask]) -> Seats:
    """Everything that the order restores into. Raises TargetMissing for a path that can be neither replaced nor made."""
    seats = Seats()
    for ask in asks:
        if isinstance(ask, RestoreVolumeAsk):
            seats.volumes.append(ask.name)
        elif isinstance(ask, RestorePathAsk):
            seats.paths |= _seat(launch, ask.path, ask.what)
        for each in launch.view.containers.get(ask, ()):
            _add_container(launch, ask, each, seats)
    return seats


def _add_container(launch: Launch, ask: Ask, each: Inspected, seats: Seats) -> None:
    if isinstance(ask, RestoreProjectAsk):
        for path in _project_paths(launch, each):
            seats.paths |= _seat(launch, path, ask.what)
    elif isinstance(ask, ContainerAsk) and ask.use == "restore" and ask.path is not None:
        mount = each.mount_of(ask.path)
        if mount is not None and mount.volume is not None:
            seats.volumes.append(mount.volume)
        elif mount is not None:
            seats.paths |= _seat(launch, mount.host_path(ask.path), ask.what)


def _project_paths(launch: Launch, each: Inspected) -> Iterator[str]:
    """The project's folder, where files are made anew; and of its files those that are there, or can be made."""
    folder = own_folder(each, launch.view)
    if folder is not None and each.folder is not None and os.path.isdir(folder):  # noqa: PTH112 - as in this room
        yield each.folder
    yield from (path for path in each.project_files if os.path.lexists(launch.view.real(path)))


def _seat(launch: Launch, path: str, what: str) -> dict[str, str]:
    """The path, and the folder above it where that may be written to, each to where it leads."""
    real = launch.view.real(path)
    above = real.parent
    found = {path: str(real)}
    if _is_fit(launch, above) and not os.path.ismount(real):
        return {str(above): str(above), **found}
    if os.path.lexists(real):
        return found
    words = f"{what}: {path} does not exist, and the folder above it may not be written to (--allow-restore-path {above})"
    raise StrongroomError(Reason.TargetMissing, words)


def _is_fit(launch: Launch, above: PurePosixPath) -> bool:
    return launch.may_restore(above) and not opens_the_host(above) and os.path.isdir(above)  # noqa: PTH112
