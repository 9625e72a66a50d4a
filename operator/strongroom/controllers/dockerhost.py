"""DockerHosts: is the agent alive, can it use its Docker Engine, and does a policy dump every database found there?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from strongroom.api.conditions import with_condition
from strongroom.api.dockerhost import DatabaseService
from strongroom.api.labels import host_lease_name
from strongroom.api.resources import BackupPolicy, DockerHost
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.controllers.measures import HostMeasures
from strongroom.domain.coverage import find_uncovered, judge_coverage
from strongroom.domain.hosts import find_engine_trouble, judge_engine, judge_host, renewal_ends, see_renewal
from strongroom.domain.policies import find_lasting_problem
from strongroom.kube.client import Object
from strongroom.kube.kinds import HOSTS, LEASES
from strongroom.kube.rights import on

RIGHTS = (
    on(HOSTS, "patch", sub="status"),
    on(LEASES, "get"),
)

SECOND = timedelta(seconds=1)
LONGEST_NAME = 128
"""Of a container in the list of those that are uncovered."""


async def reconcile_host(context: Context, key: Key) -> datetime | None:
    """Write conditions and what is uncovered; returns when the Lease ends, or the next tick if it has."""
    name = (key.namespace, key.name)
    host = context.observed.hosts.get(name)
    if host is None or host.meta.deletion_timestamp is not None:
        context.renewals.pop(key, None)
        context.measures.hosts.pop(name, None)
        return None
    lease = await context.client.reads.get(LEASES, key.namespace, host_lease_name(key.name))
    now = context.now()
    renewal = context.renewals[key] = see_renewal(lease, context.renewals.get(key), now)
    ends = renewal_ends(renewal)
    is_alive = ends is not None and ends >= now
    uncovered = find_uncovered(host, _policies_at_work(context, host))
    changes = _changes(host, uncovered, ends, now)
    if changes:
        # Without a resourceVersion: the agent writes the other fields of the status all the time.
        changed = await context.client.patch(
            HOSTS, key.namespace, key.name, {"status": changes}, subresource="status"
        )
        context.take_in(HOSTS, changed)
    context.measures.hosts[name] = _measure(host, uncovered, is_alive=is_alive)
    if ends is not None and ends > now:
        return ends + SECOND
    return now + timedelta(seconds=context.settings.tick_seconds)


def _policies_at_work(context: Context, host: DockerHost) -> Iterator[BackupPolicy]:
    """Policies of the host that start runs, or would as soon as what is down comes back."""
    for policy in context.observed.policies_on_host(host):
        around = context.observed.surroundings(policy)
        is_leaving = policy.meta.deletion_timestamp is not None
        if not (is_leaving or policy.spec.suspend) and find_lasting_problem(policy, around) is None:
            yield policy


def _changes(
    host: DockerHost, uncovered: list[DatabaseService], ends: datetime | None, now: datetime
) -> Object:
    """What of the host's status the operator must write."""
    is_alive = ends is not None and ends >= now
    conditions = host.status.conditions
    for condition in (
        judge_host(host, ends, now),
        judge_engine(host, now, is_alive=is_alive),
        judge_coverage(host, uncovered, now, is_alive=is_alive),
    ):
        conditions = with_condition(conditions, condition)
    changes: Object = {}
    if host.status.observed_generation != host.meta.generation:
        changes["observedGeneration"] = host.meta.generation
    if conditions != host.status.conditions:
        changes["conditions"] = [each.to_api() for each in conditions]
    names = [database.container[:LONGEST_NAME] for database in uncovered]
    if names != host.status.uncovered:
        changes["uncovered"] = names or None
    return changes


def _measure(host: DockerHost, uncovered: list[DatabaseService], *, is_alive: bool) -> HostMeasures:
    if not is_alive or host.status.engine is None:
        return HostMeasures(ready=is_alive)
    answers = find_engine_trouble(host) is None
    return HostMeasures(ready=True, engine_ready=answers, uncovered=len(uncovered) if answers else None)
