"""What an order's asks mean on this machine: paths with their links followed, and containers as the Engine knows them. Blocks."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from strongroom.agent.asks import (
    Ask,
    ContainerAsk,
    DrillImageAsk,
    PathAsk,
    ProjectAsk,
    RestorePathAsk,
    RestoreProjectAsk,
    RestoreVolumeAsk,
    StoreAsk,
    UrlAsk,
    VolumeAsk,
)
from strongroom.agent.urls import HostNetworks, look_at_urls
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import COMPOSE_PROJECT_LABEL
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container, list_containers, match_containers, match_labelled
from strongroom.engine.hostrights import find_opening
from strongroom.engine.inspection import Inspected, inspect_container, labels_of_image
from strongroom.engine.volumes import find_volume


@dataclass(frozen=True)
class HostView:
    """One look at the machine. What was not looked at is not in it."""

    resolved: Mapping[str, PurePosixPath] = field(default_factory=dict)
    """Every path that is named, to where it leads."""
    containers: Mapping[Ask, Sequence[Inspected]] = field(default_factory=dict)
    """Every ask for containers or a project, to those that it means; empty where there is none."""
    bound: Mapping[str, PurePosixPath] = field(default_factory=dict)
    """Every volume that really is a folder of the host, to that folder."""
    claimed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Ids of containers, to those labels that are their image's word, and not that of whoever started them."""
    images: frozenset[str] | None = None
    """Images that containers of this machine are made from; looked at when a drill names one."""
    networks: HostNetworks = field(default_factory=HostNetworks)
    """Where the URLs of health checks lead to."""

    def real(self, path: str) -> PurePosixPath:
        """Where a path leads."""
        return self.resolved.get(path, PurePosixPath(path))


def look_at_host(order: WorkOrder, asks: Sequence[Ask], engine: Engine | None) -> HostView:
    """One look; without an Engine, at paths alone. Raises EngineUnreachable."""
    named = {ask.path for ask in asks if isinstance(ask, StoreAsk | PathAsk | RestorePathAsk)}
    networks = look_at_urls([ask.url for ask in asks if isinstance(ask, UrlAsk)], engine)
    if engine is None or not order.needs_engine:
        return HostView(resolved=resolve(named), networks=networks)
    containers = {
        ask: [inspect_container(engine, each) for each in _match(engine, order, ask)]
        for ask in asks
        if isinstance(ask, ContainerAsk | ProjectAsk | RestoreProjectAsk)
    }
    found = {path for ask, several in containers.items() for each in several for path in _paths(ask, each)}
    known = {each.container.id: each for several in containers.values() for each in several}
    volumes = {mount.volume for each in known.values() for mount in each.mounts}
    bound = _bound(
        engine, volumes | {ask.name for ask in asks if isinstance(ask, VolumeAsk | RestoreVolumeAsk)}
    )
    drills = any(isinstance(ask, DrillImageAsk) for ask in asks)
    rooted = {key: _with_reason(each, bound, engine) for key, each in known.items()}
    return HostView(
        resolved=resolve(named | found),
        containers={
            ask: [rooted[each.container.id] for each in several] for ask, several in containers.items()
        },
        bound=bound,
        claimed={key: _claimed(engine, each) for key, each in known.items()},
        images=frozenset(each.image for each in list_containers(engine)) if drills else None,
        networks=networks,
    )


def _bound(engine: Engine, volumes: Iterable[str | None]) -> dict[str, PurePosixPath]:
    """Those that really are folders of the host. One that is missing is told by whoever reads it."""
    found: dict[str, PurePosixPath] = {}
    for name in filter(None, volumes):
        try:
            folder = find_volume(engine, name, "").bound
        except StrongroomError as error:
            if error.reason is not Reason.SourceMissing:
                raise
            continue
        if folder is not None:
            found[name] = PurePosixPath(os.path.realpath(folder))
    return found


def _with_reason(each: Inspected, bound: Mapping[str, PurePosixPath], engine: Engine) -> Inspected:
    """With a reason that is seen only where links, and volumes that are folders of the host, lead to."""
    places = [
        (str(bound.get(mount.volume or "", os.path.realpath(mount.source))), not mount.is_read_only)
        for mount in each.mounts
        if mount.volume is None or mount.volume in bound
    ]
    socket = os.path.realpath(engine.url.removeprefix("unix://"))
    return replace(each, root_reason=each.root_reason or find_opening(places, socket))


def _claimed(engine: Engine, each: Inspected) -> frozenset[str]:
    said = labels_of_image(engine, each.image_id)
    return frozenset(key for key, value in each.container.labels.items() if said.get(key) == value)


def resolve(paths: Iterable[str]) -> dict[str, PurePosixPath]:
    """Each path to where it leads now; what is missing keeps its name below what is there."""
    return {path: PurePosixPath(os.path.realpath(path)) for path in paths}


def resolve_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns of paths, with the links in their fixed part followed."""
    return tuple(map(_resolve_pattern, patterns))


def _resolve_pattern(pattern: str) -> str:
    parts = PurePosixPath(pattern).parts
    fixed = next((n for n, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return str(Path(os.path.realpath(PurePosixPath(*parts[:fixed]))).joinpath(*parts[fixed:]))


def _paths(ask: Ask, each: Inspected) -> Iterator[str]:
    """Every path of the host that matters when the ask is judged for that container."""
    yield from each.project_files
    if each.folder:
        yield each.folder
    path = ask.path if isinstance(ask, ContainerAsk) else None
    if path is not None and (mount := each.mount_of(path)) is not None:
        yield mount.source
        yield mount.host_path(path)


def _match(
    engine: Engine, order: WorkOrder, ask: ContainerAsk | ProjectAsk | RestoreProjectAsk
) -> list[Container]:
    if isinstance(ask, ProjectAsk | RestoreProjectAsk):
        return list_containers(engine, labels=[f"{COMPOSE_PROJECT_LABEL}={ask.project}"])
    if ask.selector is not None:
        return match_containers(engine, ask.selector)
    return match_labelled(engine, order.namespace, order.policy or "")
