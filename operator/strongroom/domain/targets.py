"""Targets: what runs read and stop, and what restores overwrite.

No two runs read one database at a time, and none reads what another stops or a restore overwrites. A target is a server, as
seen from where the Job runs, and what is read of it; or a volume or path, which policies may read beside each other. A server
reached over the network and a container may be one and the same; nobody on the control side can know that, so two policies that
mean one database in these two ways do not wait for each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from strongroom.api.containers import ContainerSelector
from strongroom.api.dockerhost import DatabaseService
from strongroom.api.hooks import Hooks
from strongroom.api.sources import PostgresSource, Source
from strongroom.domain.databases import is_meant, is_selected

ALL = "*"
_LOOPBACK = ("localhost", "::1", "0.0.0.0")  # noqa: S104  # compared with, not bound to


@dataclass(frozen=True)
class Target:
    """A server or container and what of it is read: names of databases, or all (also of what is stopped)."""

    server: str
    parts: frozenset[str] = frozenset([ALL])

    def overlaps(self, other: "Target") -> bool:
        """Whether both touch at least one part in common."""
        if self.server != other.server:
            return False
        either_takes_all = ALL in self.parts or ALL in other.parts
        return either_takes_all or not self.parts.isdisjoint(other.parts)

    def __str__(self) -> str:
        """For people: `server/database,…`."""
        return f"{self.server}/{','.join(sorted(self.parts))}"


@dataclass(frozen=True)
class Work:
    """What the runs of a policy, or a restore, do, as the policy or a work order says it."""

    namespace: str
    policy: str
    sources: Sequence[Source]
    hooks: Hooks | None = None
    writes: bool = False
    """Whether the sources are overwritten."""
    workloads: tuple[str, ...] = ()
    """What of a cluster is stopped meanwhile."""

    def stopped(self) -> list[ContainerSelector]:
        """Every container that is stopped or frozen meanwhile."""
        hooks = [self.hooks, *(source.hooks for source in self.sources)]
        return [selector for each in hooks if each is not None for selector in (*each.stop, *each.pause)]


@dataclass(frozen=True)
class Place:
    """Where Jobs run, as one word: names such as localhost or `shop/db` mean something else elsewhere.

    `databases` are what the host's agent found: they tell that a service and a container's name are the same.
    """

    identity: str
    databases: Sequence[DatabaseService] = ()


def find_targets(work: Work, place: Place) -> tuple[Target, ...]:
    """The targets of a policy's runs."""
    read = [target for source in work.sources for target in _source_targets(work, source, place)]
    stopped = [Target(server) for selector in work.stopped() for server in _containers(selector, place)]
    scaled = [Target(f"{place.identity}: {each}") for each in work.workloads]
    return tuple(dict.fromkeys([*read, *stopped, *scaled]))


def overlap(ours: Iterable[Target], theirs: Iterable[Target]) -> Target | None:
    """The first of our targets that is also theirs."""
    theirs = tuple(theirs)
    return next((target for target in ours if any(target.overlaps(other) for other in theirs)), None)


def _source_targets(work: Work, source: Source, place: Place) -> Iterator[Target]:
    if source.postgres is not None:
        yield from _databases(work, source, source.postgres, place)
    # Several policies may read the same files; none while another run has stopped their container, or writes them.
    users = frozenset([ALL]) if work.writes else frozenset([f"files of {work.namespace}/{work.policy}"])
    yield from (Target(server, users) for server in _file_places(source, place))


def _databases(work: Work, source: Source, postgres: PostgresSource, place: Place) -> Iterator[Target]:
    parts = frozenset(postgres.databases) or frozenset([ALL])
    if postgres.host is not None:
        yield Target(_server(postgres.host, postgres.port, place), parts)
    else:
        yield from (Target(server, parts) for server in _servers_inside(work, source, postgres, place))


def _file_places(source: Source, place: Place) -> Iterator[str]:
    files, config = source.files, source.config
    if files is not None and files.in_container is not None:
        yield from _containers(files.in_container.container, place)
    if files is not None and files.volume is not None:
        yield f"{place.identity}: volume {files.volume}"
    if files is not None and files.path is not None:
        yield f"{place.identity}: path {files.path}"
    if files is not None and files.persistent_volume_claim is not None:
        yield f"{place.identity}: claim {files.persistent_volume_claim}"
    if config is not None:
        yield from (f"{place.identity}: path {path}" for path in config.paths)
        yield from [f"{place.identity}: configuration of {config.project}"] if config.project else []


def _servers_inside(work: Work, source: Source, postgres: PostgresSource, place: Place) -> list[str]:
    if postgres.container is not None:
        return _containers(postgres.container, place)
    found = [each for each in place.databases if is_meant(source, work.namespace, work.policy, each)]
    labelled = f"{place.identity}: labelled {work.namespace}/{work.policy}"
    return [_container(each.container, place) for each in found] or [labelled]


def _containers(selector: ContainerSelector, place: Place) -> list[str]:
    """The containers that a selector means, by name where the agent found them; else by what the selector says."""
    found = [each.container for each in place.databases if is_selected(selector, each)]
    if selector.name is not None:
        return [_container(selector.name, place)]
    return [_container(name, place) for name in found] or [
        f"{place.identity}: {selector.project}/{selector.service}"
    ]


def _container(name: str, place: Place) -> str:
    return f"{place.identity}: container {name}"


def _server(host: str, port: int, place: Place) -> str:
    """A full name or an address means one server everywhere; a short or a loopback name depends on who asks."""
    name = host.lower()
    if name in _LOOPBACK or name.startswith("127."):
        return f"{place.identity}:localhost:{port}"
    is_global = "." in name or ":" in name
    return f"{name}:{port}" if is_global else f"{place.identity}:{name}:{port}"
