"""What an order's asks mean on this machine: paths with their links followed, and containers as the Engine knows them. Blocks."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from strongroom.agent.allowances import Allowances
from strongroom.agent.asks import Ask, ContainerAsk, PathAsk, ProjectAsk, StoreAsk
from strongroom.api.labels import COMPOSE_PROJECT_LABEL
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container, list_containers, match_containers, match_labelled
from strongroom.engine.inspection import Inspected, inspect_container


@dataclass(frozen=True)
class HostView:
    """One look at the machine. What was not looked at is not in it."""

    resolved: Mapping[str, PurePosixPath] = field(default_factory=dict)
    """Every path that is named, to where it leads."""
    containers: Mapping[Ask, Sequence[Inspected]] = field(default_factory=dict)
    """Every ask for containers or a project, to those that it means; empty where there is none."""

    def real(self, path: str) -> PurePosixPath:
        """Where a path leads."""
        return self.resolved.get(path, PurePosixPath(path))


def look_at_host(order: WorkOrder, asks: Sequence[Ask], engine: Engine | None) -> HostView:
    """One look; without an Engine, at paths alone. Raises EngineUnreachable."""
    named = {ask.path for ask in asks if isinstance(ask, StoreAsk | PathAsk)}
    if engine is None:
        return HostView(resolved=resolve(named))
    containers: dict[Ask, list[Inspected]] = {
        ask: [inspect_container(engine, each) for each in _match(engine, order, ask)]
        for ask in asks
        if isinstance(ask, ContainerAsk | ProjectAsk)
    }
    found = {path for ask, several in containers.items() for each in several for path in _paths(ask, each)}
    return HostView(resolved=resolve(named | found), containers=containers)


def resolve(paths: Iterable[str]) -> dict[str, PurePosixPath]:
    """Each path to where it leads now; what is missing keeps its name below what is there."""
    return {path: PurePosixPath(os.path.realpath(path)) for path in paths}


def resolve_allowances(allowed: Allowances) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Patterns of stores and of paths, with the links in their fixed part followed."""
    return tuple(map(_resolve_pattern, allowed.stores)), tuple(map(_resolve_pattern, allowed.paths))


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


def _match(engine: Engine, order: WorkOrder, ask: ContainerAsk | ProjectAsk) -> list[Container]:
    if isinstance(ask, ProjectAsk):
        return list_containers(engine, labels=[f"{COMPOSE_PROJECT_LABEL}={ask.project}"])
    if ask.selector is not None:
        return match_containers(engine, ask.selector)
    policy = order.backup.policy if order.backup is not None else ""
    return match_labelled(engine, order.namespace, policy)
