"""A server that is thrown away, however it came about."""

from collections.abc import Callable
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.drillcontainers import DrillContainer
from strongroom.sources.postgres.access import Server
from strongroom.sources.postgres.restoring.reaching import Reach

SUPERUSER = "postgres"


@dataclass(frozen=True)
class Wanted:
    """What is needed. `name` is a part of file names; `dump_major` is that of the pg_dump that made the backup."""

    name: str
    source: str
    major: int
    dump_major: int
    memory_bytes: int
    superuser: str = SUPERUSER
    """Role that made the cluster which was backed up, where it is known. A cluster without a container has its own."""


@dataclass(frozen=True)
class ThrowAway:
    """It runs. `reach`: as its superuser. `as_role`: the same server for another role, who need not say a password."""

    reach: Reach
    as_role: Callable[[str], Server]
    free_bytes: Callable[[], int | None]
    """Room for its databases, None where it is not known."""
    container: DrillContainer | None = None
    """The one that it is in; None for a private cluster."""


def could_not(words: str) -> StrongroomError:
    """It is the environment that fails."""
    return StrongroomError(Reason.DrillCouldNotRun, words)
