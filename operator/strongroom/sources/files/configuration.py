"""The reading of configuration: paths of the host, and the files that a compose project was made from, in one archive."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.filesources import ConfigSource
from strongroom.engine.connecting import Engine
from strongroom.engine.projectfiles import ProjectFiles, find_project_files
from strongroom.sources.files.composefiles import named_files
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
        search = _Search(project, places, what)
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
class _Search:
    """Where the project's files are. `lacking` tells what it names and what is not taken."""

    project: ProjectFiles
    places: Places
    what: str
    lacking: list[str] = field(default_factory=list)

    def run(self) -> dict[str, str]:
        compose = {path: self.places.of_path(path) for path in self.project.compose}
        found = {path: place for path, place in self._others(compose) if path not in compose}
        return compose | found

    def _others(self, compose: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Files that need not exist, and only those inside the project's folder: the host's agent lets no more be read."""
        for path in [*self.project.environment, *self._named(compose), *self._mounted()]:
            try:
                place = resolve_place(self.places.of_path(path), self.what)
            except StrongroomError as error:
                if error.reason is not Reason.SourceMissing:
                    self.lacking.append(excerpt(error.message))
                continue
            if self._is_inside(place):
                yield path, place
            else:
                self.lacking.append(f"{path}: it is not in the project's folder (config.paths)")

    def _is_inside(self, place: str) -> bool:
        folder = resolve_place(self.places.of_path(self.project.folder), self.what)
        return PurePosixPath(place).is_relative_to(folder)

    def _named(self, compose: Mapping[str, str]) -> Iterator[str]:
        for path, place in compose.items():
            try:
                yield from named_files(Path(place).read_bytes(), self.project.folder)
            except FileNotFoundError as error:
                words = f"{self.what}.project: {path} does not exist"
                raise StrongroomError(Reason.SourceMissing, words) from error
            except OSError as error:
                raise StrongroomError(
                    Reason.ReadFailed, f"{self.what}.project: {path}: {error.strerror}"
                ) from error
            except ValueError as error:
                self.lacking.append(
                    f"files that {path} names: it cannot be understood: {excerpt(str(error))}"
                )

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
