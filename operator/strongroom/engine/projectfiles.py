"""Which files of the host a compose project was made from, as the labels and mounts of its containers tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import COMPOSE_ENVIRONMENT_FILE_LABEL, COMPOSE_PROJECT_LABEL
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import list_containers
from strongroom.engine.inspection import Inspected, Mount, inspect_container


@dataclass(frozen=True)
class ProjectFiles:
    """Absolute paths of the host, each once. `folder`: the project's working folder.

    `compose`: compose files. `environment`: files that variables come from, which need not exist. `binds`: what its
    containers have mounted from inside the folder.
    """

    folder: str
    compose: Sequence[str]
    environment: Sequence[str]
    binds: Sequence[Mount]


def find_project_files(engine: Engine, project: str, what: str) -> ProjectFiles:
    """What all containers of the project tell, stopped ones too.

    Raises ContainerNotFound, with `what` (object and field) in the text, when it has none, or none that tells its folder.
    """
    containers = list_containers(engine, labels=[f"{COMPOSE_PROJECT_LABEL}={project}"])
    inspected = [inspect_container(engine, container) for container in containers]
    folder = next((each.folder for each in inspected if each.folder), None)
    if folder is None:
        words = f"{what}: no container of compose project {project} tells its working folder on this host"
        raise StrongroomError(Reason.ContainerNotFound, words)
    own = [each for each in inspected if each.folder == folder]
    named = _once(path for each in own for path in each.project_files)
    return ProjectFiles(
        folder=folder,
        compose=[path for path in named if not path.endswith("/.env")],
        environment=_once(
            [path for path in named if path.endswith("/.env")] + _environment_files(own, folder)
        ),
        binds=_inside(folder, own),
    )


def _environment_files(containers: Sequence[Inspected], folder: str) -> list[str]:
    """What compose v2 notes of its option `--env-file`."""
    labels = [each.container.labels.get(COMPOSE_ENVIRONMENT_FILE_LABEL, "") for each in containers]
    return [str(PurePosixPath(folder) / name) for label in labels for name in label.split(",") if name]


def _inside(folder: str, containers: Sequence[Inspected]) -> list[Mount]:
    found = {
        mount.source: mount
        for each in containers
        for mount in each.mounts
        if mount.volume is None and PurePosixPath(mount.source).is_relative_to(folder)
    }
    return [found[source] for source in sorted(found)]


def _once(paths: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(paths))
