"""Coverage: does a policy back up every database that a host's agent found in its containers?"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from strongroom.api.conditions import DATABASES_COVERED, Condition, build_condition
from strongroom.api.dockerhost import DatabaseService
from strongroom.api.resources import BackupPolicy, DockerHost
from strongroom.domain.databases import describe_database, is_meant
from strongroom.domain.hosts import find_engine_trouble

NAMED = 20
"""So many uncovered databases stand in the message; the status lists them all."""


def find_uncovered(host: DockerHost, policies: Iterable[BackupPolicy]) -> list[DatabaseService]:
    """Databases of the host that none of these policies dumps; the caller gives those that are at work on this host."""
    left = list(host.status.databases)
    for policy in policies:
        left = [database for database in left if not covers(policy, database)]
    return left


def covers(policy: BackupPolicy, database: DatabaseService) -> bool:
    """Whether the policy dumps the server, whatever databases of it; one that runs on demand only does too."""
    meta = policy.meta
    return any(is_meant(source, meta.namespace, meta.name, database) for source in policy.spec.sources)


def judge_coverage(
    host: DockerHost, uncovered: Sequence[DatabaseService], now: datetime, *, is_alive: bool
) -> Condition:
    """The DatabasesCovered condition; Unknown while nobody can look at what runs on the host."""
    status: bool | None
    if not is_alive or find_engine_trouble(host) is not None:
        status, reason, message = None, "NotLooked", "Without agent and Docker Engine nobody can look."
    elif uncovered:
        more = f" and {len(uncovered) - NAMED} more" if len(uncovered) > NAMED else ""
        named = ", ".join(describe_database(each) for each in uncovered[:NAMED])
        status, reason = False, "DatabasesUncovered"
        message = (
            f"No policy dumps: {named}{more}. `strongroom discover` prints policies for them. "
            "A policy that reaches them over the network is not counted: it does not tell which container it means."
        )
    elif host.status.databases:
        status, reason, message = True, "Covered", "A policy dumps every PostgreSQL server in a container."
    else:
        status, reason, message = True, "NoDatabases", "No PostgreSQL server was found in a container."
    return build_condition(
        DATABASES_COVERED,
        status=status,
        reason=reason,
        message=message,
        now=now,
        generation=host.meta.generation,
    )
