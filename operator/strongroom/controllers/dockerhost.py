"""DockerHosts: is the agent alive? By its Lease, read when it should have been renewed."""

from datetime import datetime, timedelta

from strongroom.api.conditions import with_condition
from strongroom.api.labels import host_lease_name
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.domain.hosts import judge_host, renewal_ends, see_renewal
from strongroom.kube.kinds import HOSTS, LEASES

SECOND = timedelta(seconds=1)


async def reconcile_host(context: Context, key: Key) -> datetime | None:
    """Write the Ready condition; returns when the Lease ends, or the next tick if it has."""
    host = context.observed.hosts.get((key.namespace, key.name))
    if host is None or host.meta.deletion_timestamp is not None:
        context.renewals.pop(key, None)
        return None
    lease = await context.client.reads.get(LEASES, key.namespace, host_lease_name(key.name))
    now = context.now()
    renewal = context.renewals[key] = see_renewal(lease, context.renewals.get(key), now)
    ends = renewal_ends(renewal)
    condition = judge_host(host, ends, now)
    conditions = with_condition(host.status.conditions, condition)
    if conditions != host.status.conditions:
        # Without a resourceVersion: the agent writes the other fields of the status all the time.
        body = {"status": {"conditions": [each.to_api() for each in conditions]}}
        changed = await context.client.patch(HOSTS, key.namespace, key.name, body, subresource="status")
        context.take_in(HOSTS, changed)
    if ends is not None and ends > now:
        return ends + SECOND
    return now + timedelta(seconds=context.settings.tick_seconds)
