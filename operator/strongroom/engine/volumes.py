"""Named volumes, and what of a container lies on one."""

import os
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import docker.errors

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.failures import engine_failures
from strongroom.engine.inspection import Inspected, inspect_container


@dataclass(frozen=True)
class Volume:
    """A named volume. `mountpoint`: the folder of the host that holds its files."""

    name: str
    mountpoint: str
    labels: Mapping[str, str] = field(default_factory=dict)
    bound: str | None = None
    """The folder of the host that it really is (made with `--opt o=bind --opt device=FOLDER`)."""


@dataclass(frozen=True)
class HostPath:
    """A container's path on a mount: `root` is the mount's folder (or file) on the host, `rest` the way below it.

    `covered`: the ways from the path to other mounts inside it. What the container sees there is not there on the host.
    """

    root: str
    rest: str
    volume: str | None = None
    covered: Sequence[str] = ()

    @property
    def path(self) -> str:
        """The whole path on the host."""
        return os.path.join(self.root, self.rest) if self.rest else self.root  # noqa: PTH118 - any bytes may be in it


def find_volume(engine: Engine, name: str, what: str) -> Volume:
    """The volume of that name; SourceMissing, with `what` (object and field) in the text, if there is none."""
    with engine_failures(engine):
        try:
            found = engine.api.inspect_volume(name)
        except docker.errors.NotFound as error:
            words = f"{what}: there is no volume {name} on this host"
            raise StrongroomError(Reason.SourceMissing, words) from error
    options = found.get("Options") or {}
    bound = options.get("device") if {"bind", "rbind"} & set(str(options.get("o")).split(",")) else None
    return Volume(name, str(found["Mountpoint"]), found.get("Labels") or {}, bound)


def has_volume(engine: Engine, name: str) -> bool:
    """Whether there is a volume of that name. Raises EngineUnreachable."""
    try:
        find_volume(engine, name, "")
    except StrongroomError as error:
        if error.reason is Reason.SourceMissing:
            return False
        raise
    return True


def ensure_volume(engine: Engine, name: str, labels: Mapping[str, str]) -> None:
    """Make a volume of that name, of the Engine's own driver, unless there is one. Raises EngineUnreachable."""
    if not has_volume(engine, name):
        with engine_failures(engine):
            engine.api.create_volume(name, labels=dict(labels))


def resolve_mount(engine: Engine, container: Container, path: str) -> HostPath | None:
    """Where a path inside the container is on the host; None if it lies in the container's own layer.

    The path is taken as it is written: a symbolic link on the way is not followed.
    """
    wanted = posixpath.normpath(path)
    inspected = inspect_container(engine, container)
    mount = inspected.mount_of(wanted)
    if mount is None:
        return None
    rest = posixpath.relpath(wanted, mount.destination)
    covered = _ways_to_mounts(inspected, PurePosixPath(wanted))
    return HostPath(mount.source, "" if rest == "." else rest, mount.volume, covered)


def _ways_to_mounts(inspected: Inspected, path: PurePosixPath) -> list[str]:
    """From a path inside the container to the mounts that begin below it."""
    destinations = (PurePosixPath(mount.destination) for mount in inspected.mounts)
    return sorted(str(each.relative_to(path)) for each in destinations if path in each.parents)
