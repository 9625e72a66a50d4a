"""One container in all its detail: its mounts, its rights on the host, its environment's names, and what its main process is."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import COMPOSE_FILES_LABEL, COMPOSE_FOLDER_LABEL
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.failures import engine_failures
from strongroom.engine.hostrights import find_opening, find_right

_MOST_KNOWN = 1000


@dataclass(frozen=True)
class Mount:
    """A volume or a piece of the host's file system inside a container."""

    source: str
    """Absolute path on the host; of a volume, its mountpoint."""
    destination: str
    volume: str | None = None
    """Name of the volume; None: a bind of the host's own files."""
    is_read_only: bool = False

    def host_path(self, path: str) -> str:
        """Where a path inside the container that lies on this mount is on the host."""
        return str(PurePosixPath(self.source) / _plain(path).relative_to(self.destination))


@dataclass(frozen=True)
class Inspected:
    """What the Engine knows of one container."""

    container: Container
    mounts: Sequence[Mount]
    root_reason: str | None
    """Why a command in it is as good as one by root on the host, if so."""
    environment_names: frozenset[str]
    program: str
    """Base name of the program that it runs, its entry point not counted."""
    image_id: str = ""

    @property
    def folder(self) -> str | None:
        """The working folder of its compose project."""
        return self.container.labels.get(COMPOSE_FOLDER_LABEL)

    @property
    def compose_files(self) -> list[str]:
        """The compose files that it was made from; absolute where the project's folder is known."""
        named = [name for name in self.container.labels.get(COMPOSE_FILES_LABEL, "").split(",") if name]
        # docker-compose 1.29 notes them as they were named on its command line.
        return [str(PurePosixPath(self.folder or "") / name) for name in named]

    @property
    def project_files(self) -> list[str]:
        """The compose files, and the `.env` of the project's folder."""
        return [*self.compose_files, *([str(PurePosixPath(self.folder) / ".env")] if self.folder else [])]

    def mount_of(self, path: str) -> Mount | None:
        """The mount that a path inside the container lies on; None: its own layer."""
        wanted = _plain(path)
        over = [each for each in self.mounts if wanted.is_relative_to(each.destination)]
        return max(over, key=lambda each: len(PurePosixPath(each.destination).parts), default=None)


def _plain(path: str) -> PurePosixPath:
    """Without `..`: otherwise a mount is reached by a name that seems to lie beside it."""
    return PurePosixPath(posixpath.normpath(path))


def inspect_container(engine: Engine, container: Container) -> Inspected:
    """Ask for the details. Raises EngineUnreachable, and ContainerNotFound when it is gone meanwhile."""
    with engine_failures(engine):
        found = engine.api.inspect_container(container.id)
    return parse_inspected(container, found)


class InspectedCache:
    """Containers that were looked into already: what is read of them here does not change while they exist."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[str, Inspected] = {}

    def inspect(self, engine: Engine, container: Container) -> Inspected | None:
        """The details of a container that was just listed; None when it is gone meanwhile. Raises EngineUnreachable."""
        known = self._known.get(container.id)
        if known is not None:
            return replace(known, container=container)
        try:
            found = inspect_container(engine, container)
        except StrongroomError as error:
            if error.reason is Reason.ContainerNotFound:
                return None
            raise
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[container.id] = found
        return found


def parse_inspected(container: Container, found: Mapping[str, Any]) -> Inspected:
    """Read the Engine's answer."""
    config = found.get("Config") or {}
    mounts = [
        Mount(
            source=str(each.get("Source") or ""),
            destination=str(each.get("Destination") or "/"),
            volume=str(each["Name"]) if each.get("Type") == "volume" else None,
            is_read_only=each.get("RW") is False,
        )
        for each in found.get("Mounts") or []
        if each.get("Type") in {"bind", "volume"}
    ]
    opened = [(mount.source, not mount.is_read_only) for mount in mounts if mount.volume is None]
    return Inspected(
        container=container,
        mounts=mounts,
        root_reason=find_right(found.get("HostConfig") or {}) or find_opening(opened),
        environment_names=frozenset(str(word).partition("=")[0] for word in config.get("Env") or []),
        image_id=str(found.get("Image") or ""),
        program=PurePosixPath(str((config.get("Cmd") or [found.get("Path") or ""])[0])).name,
    )


def labels_of_image(engine: Engine, image: str) -> Mapping[str, str]:
    """What an image says of itself, and so of every container made from it; nothing when it is gone. Raises EngineUnreachable."""
    try:
        with engine_failures(engine):
            found = engine.api.inspect_image(image)
    except StrongroomError as error:
        if error.reason is Reason.ContainerNotFound:
            return {}
        raise
    return (found.get("Config") or {}).get("Labels") or {}
