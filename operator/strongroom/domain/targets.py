"""Targets: what a policy's sources touch, so that no two runs read the same database at the same time.

A target is a server, as seen from where the Job runs, and the databases read of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.api.sources import PostgresSource, Source

ALL = "*"
_LOOPBACK = ("localhost", "::1", "0.0.0.0")  # noqa: S104  # compared with, not bound to


@dataclass(frozen=True)
class Target:
    """A server and what of it is read: names of databases, or all."""

    server: str
    databases: frozenset[str]

    def overlaps(self, other: "Target") -> bool:
        """Whether both read at least one database in common."""
        if self.server != other.server:
            return False
        either_reads_all = ALL in self.databases or ALL in other.databases
        return either_reads_all or not self.databases.isdisjoint(other.databases)

    def __str__(self) -> str:
        """For people: `server/database,…`."""
        return f"{self.server}/{','.join(sorted(self.databases))}"


def find_targets(sources: Iterable[Source], seen_from: str) -> tuple[Target, ...]:
    """The targets of a policy's sources; `seen_from` identifies the host that the Jobs run on."""
    return tuple(
        _postgres_target(source.postgres, seen_from) for source in sources if source.postgres is not None
    )


def overlap(ours: Iterable[Target], theirs: Iterable[Target]) -> Target | None:
    """The first of our targets that is also theirs."""
    theirs = tuple(theirs)
    return next((target for target in ours if any(target.overlaps(other) for other in theirs)), None)


def _postgres_target(source: PostgresSource, seen_from: str) -> Target:
    databases = frozenset([ALL]) if source.all_databases else frozenset(source.databases)
    if source.host is None:
        return Target(
            f"{seen_from}:{source.container or 'labelled'}:{source.port}", databases or frozenset([ALL])
        )
    return Target(_server(source.host, source.port, seen_from), databases)


def _server(host: str, port: int, seen_from: str) -> str:
    """A full name or an address means one server everywhere; a short or a loopback name depends on who asks."""
    name = host.lower()
    if name in _LOOPBACK or name.startswith("127."):
        return f"{seen_from}:localhost:{port}"
    is_global = "." in name or ":" in name
    return f"{name}:{port}" if is_global else f"{seen_from}:{name}:{port}"
