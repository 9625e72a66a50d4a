"""Compose projects and PostgreSQL servers of a host, as its containers and volumes tell them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePosixPath
from typing import Literal

from strongroom.api.labels import COMPOSE_ONEOFF_LABEL, COMPOSE_PROJECT_LABEL, POLICY_LABEL
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container, list_containers
from strongroom.engine.failures import engine_failures
from strongroom.engine.inspection import Inspected, InspectedCache, Mount

_POSTGRES_IMAGE = re.compile(r"(postgres|postgresql|postgis|pgvector|timescaledb|timescaledb-ha|citus)")
_POSTGRES_PROGRAMS = {"postgres", "postmaster"}
_DATA_FOLDER = "PGDATA"
"""Set by the official image and by those made from it; programs that are mere clients do not set it."""


@dataclass(frozen=True)
class MountFacts:
    """A mount of a service: of a volume `source` is the name, of a bind the path on the host."""

    kind: Literal["volume", "bind"]
    source: str
    destination: str


@dataclass(frozen=True)
class ServiceFacts:
    """One service of a compose project, with its containers' names."""

    name: str
    containers: Sequence[str]
    image: str
    is_postgres: bool
    policy_label: str | None
    mounts: Sequence[MountFacts] = ()


@dataclass(frozen=True)
class Stack:
    """One compose project."""

    name: str
    folder: str | None
    config_files: Sequence[str]
    services: Sequence[ServiceFacts]
    volumes: Sequence[str]
    """Names of the volumes that compose has made for it."""


@dataclass(frozen=True)
class DatabaseFacts:
    """One container that a PostgreSQL server runs in."""

    container: str
    project: str | None
    service: str | None
    image: str
    policy: str | None


@dataclass(frozen=True)
class Stacks:
    """All that was found; by name."""

    projects: Sequence[Stack] = field(default=())
    databases: Sequence[DatabaseFacts] = field(default=())


def read_stacks(engine: Engine, cache: InspectedCache | None = None) -> Stacks:
    """Look at every container but those of `compose run`. Raises EngineUnreachable.

    With a cache, a container is looked into only once: what is read of it does not change during its life.
    """
    inspect = (cache or InspectedCache()).inspect
    listed = [each for each in list_containers(engine) if not _is_one_off(each)]
    found = [each for container in listed if (each := inspect(engine, container)) is not None]
    return Stacks(projects=_projects(found, _volumes(engine)), databases=_databases(found))


def is_postgres(found: Inspected) -> bool:
    """Whether a PostgreSQL server runs in it, as far as its image's name, its program and its environment tell."""
    image = PurePosixPath(found.container.image.partition("@")[0]).name.partition(":")[0]
    return (
        _POSTGRES_IMAGE.fullmatch(image) is not None
        or found.program in _POSTGRES_PROGRAMS
        or _DATA_FOLDER in found.environment_names
    )


def _is_one_off(container: Container) -> bool:
    return container.labels.get(COMPOSE_ONEOFF_LABEL, "False").lower() == "true"


def _databases(found: Iterable[Inspected]) -> list[DatabaseFacts]:
    return [
        DatabaseFacts(
            container=each.container.name,
            project=each.container.project,
            service=each.container.service,
            image=each.container.image,
            policy=each.container.labels.get(POLICY_LABEL),
        )
        for each in found
        if is_postgres(each)
    ]


def _projects(found: Iterable[Inspected], volumes: dict[str, list[str]]) -> list[Stack]:
    of_projects = [each for each in found if each.container.project and each.container.service]
    of_projects.sort(key=lambda each: (each.container.project or "", each.container.service or ""))
    return [
        _stack(name or "", list(members), volumes.get(name or "", []))
        for name, members in groupby(of_projects, key=lambda each: each.container.project)
    ]


def _stack(name: str, members: list[Inspected], volumes: list[str]) -> Stack:
    folder = next((each.folder for each in members if each.folder), None)
    return Stack(
        name=name,
        folder=folder,
        config_files=sorted({path for each in members for path in each.compose_files}),
        services=[
            _service(service or "", list(containers))
            for service, containers in groupby(members, key=lambda each: each.container.service)
        ],
        volumes=volumes,
    )


def _service(name: str, containers: list[Inspected]) -> ServiceFacts:
    labels = (each.container.labels.get(POLICY_LABEL) for each in containers)
    return ServiceFacts(
        name=name,
        containers=sorted(each.container.name for each in containers),
        image=containers[0].container.image,
        is_postgres=any(map(is_postgres, containers)),
        policy_label=next((label for label in labels if label), None),
        mounts=list(dict.fromkeys(_mount(mount) for each in containers for mount in each.mounts)),
    )


def _mount(mount: Mount) -> MountFacts:
    if mount.volume is not None:
        return MountFacts("volume", mount.volume, mount.destination)
    return MountFacts("bind", mount.source, mount.destination)


def _volumes(engine: Engine) -> dict[str, list[str]]:
    """The named volumes of every project."""
    with engine_failures(engine):
        found = engine.api.volumes(filters={"label": COMPOSE_PROJECT_LABEL}).get("Volumes") or []
    names: dict[str, list[str]] = {}
    for each in sorted(found, key=lambda volume: str(volume["Name"])):
        names.setdefault(str((each.get("Labels") or {})[COMPOSE_PROJECT_LABEL]), []).append(str(each["Name"]))
    return names
