"""The reading of configuration: paths of the host, and the files that a compose project was made from, in one archive."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.filesources import ConfigSource
from strongroom.engine.connecting import Engine
from strongroom.engine.projectfiles import ProjectFiles, find_project_files
from strongroom.sources.files.composefiles import Named, named_files, read_compose_file
from strongroom.sources.files.places import Places
from strongroom.sources.files.readings import Choice, build_reading
from strongroom.sources.files.roots import build_named_root, resolve_place
from strongroom.sources.reading import Reading


def plan_config(
    source: str, config: ConfigSource, places: Places, engine: Callable[[], Engine]
) -> list[Reading]:
    """Find the files. What is listed, and every compose file, must exist.

    Raises SourceMissing, ReadFailed, InvalidSpec; ContainerNotFound for a project without containers.
    """
    what = f"source {source}: config"
    found = {path: places.of_path(path) for path in config.paths}
    lacking: list[str] = []
    if config.project is not None:
        project = find_project_files(engine(), config.project, f"{what}.project")
        search = Search(project, places, what)
        found |= search.run()
        lacking = search.lacking
    choice = Choice(
        source=source,
        kind="config",
        where="what config.project and config.paths name",
        include=(),
        exclude=config.exclude,
        on_change=config.on_change,
        allow_empty=False,
        lacking=lacking,
    )
    return [build_reading(build_named_root(_outermost(found), what), choice)]


@dataclass
class Search:
    """Where the project's files are. `lacking` tells what it names and what is not taken."""

    project: ProjectFiles
    places: Places
    what: str
    found: dict[str, str] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)

    def run(self) -> dict[str, str]:
        """Every path with its place."""
        self.found |= {path: self.places.of_path(path) for path in self.project.compose}
        for path in self.project.compose:
            self._look_into(path, self.project.folder)
        for path in self.project.environment:
            self._admit(path, may_lack=path.endswith("/.env"))
        for path in self._mounted():
            self._admit(path)
        return self.found

    def _look_into(self, path: str, folder: str) -> None:
        """Take what a compose file names."""
        named = self._read(path, folder)
        for name in named.files:
            self._admit(name)
        for name in named.unknown:
            words = "what its variables stand for is known to compose alone (config.paths)"
            self.lacking.append(f"{excerpt(name)}, which {path} names: {words}")
        for further, own_folder in named.compose.items():
            if further not in self.found and self._admit(further):
                self._look_into(further, own_folder)

    def _read(self, path: str, folder: str) -> Named:
        place = self.found[path]
        try:
            return named_files(read_compose_file(place), folder)
        except FileNotFoundError as error:
            words = f"{self.what}.project: {path} does not exist"
            raise StrongroomError(Reason.SourceMissing, words) from error
        except OSError as error:
            raise StrongroomError(
                Reason.ReadFailed, f"{self.what}.project: {path}: {error.strerror}"
            ) from error
        except ValueError as error:
            words = f"files that {path} names: it cannot be understood: {excerpt(str(error))}"
            self.lacking.append(words)
            return Named(folder)

    def _admit(self, path: str, *, may_lack: bool = False) -> bool:
        """Take it if it is there, and inside the project's folder: the host's agent lets no more be read."""
        try:
            place = resolve_place(self.places.of_path(path), self.what)
        except StrongroomError as error:
            if not (may_lack and error.reason is Reason.SourceMissing):
                self.lacking.append(excerpt(error.message))
            return False
        if not self._is_inside(place):
            self.lacking.append(f"{path}: it is not in the project's folder (config.paths)")
            return False
        self.found.setdefault(path, place)
        return True

    def _is_inside(self, place: str) -> bool:
        folder = resolve_place(self.places.of_path(self.project.folder), self.what)
        return PurePosixPath(place).is_relative_to(folder)

    def _mounted(self) -> Iterator[str]:
        """Files, and folders that no container writes to: those that it does are data."""
        for mount in self.project.binds:
            if mount.is_read_only or not os.path.isdir(self._seen(mount.source)):  # noqa: PTH112 - as in this room
                yield mount.source

    def _seen(self, path: str) -> str:
        try:
            return self.places.of_path(path)
        except StrongroomError:
            return path


def _outermost(found: Mapping[str, str]) -> dict[str, str]:
    """Without what lies below another one of them."""
    paths = {PurePosixPath(path): place for path, place in found.items()}
    return {str(path): place for path, place in paths.items() if not _any_in(path.parents, paths)}


def _any_in(folders: Iterable[PurePosixPath], paths: Mapping[PurePosixPath, str]) -> bool:
    return any(folder in paths for folder in folders)
