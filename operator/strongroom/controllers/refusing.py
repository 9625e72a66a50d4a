"""What the API server refuses us about one object: its condition says so, an Event, the log; and it is tried again."""

import logging

from strongroom.api.fields import Fields
from strongroom.api.resources import ObjectMeta, parse_restore, parse_run
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.kube.errors import ApiError, Conflict
from strongroom.kube.kinds import HOSTS, POLICIES, RESTORES, RUNS, STORES
from strongroom.kube.refusals import explain

log = logging.getLogger(__name__)


async def note_refusal(context: Context, key: Key, error: ApiError) -> None:
    """Remember and tell that the server has refused something about the object."""
    refusal = explain(error)
    is_news = context.refused.get(key) != refusal
    context.refused[key] = refusal
    found = _find(context, key)
    if found is None:
        return
    meta, status = found
    if is_news:
        await context.tell(key.kind, meta, "Warning", refusal.reason, refusal.message)
    try:
        await context.write_status(key.kind, meta, status, status)
    except Conflict:
        log.debug("%s: changed meanwhile; the next attempt tells of the refusal", key)
    except (ApiError, TimeoutError) as failure:
        log.warning("%s: its status cannot tell of it: %s", key, failure)


def forget_refusal(context: Context, key: Key) -> None:
    """All went well: the object's status is computed anew, without it."""
    if context.refused.pop(key, None) is not None:
        log.info("%s: nothing is refused any more", key)
        context.queue.add(key)


def _find(context: Context, key: Key) -> tuple[ObjectMeta, Fields] | None:
    """The object as it was last observed."""
    name, known = (key.namespace, key.name), context.observed
    if key.kind == RUNS and (body := known.active_runs.get(name)) is not None:
        run = parse_run(body)
        return run.meta, run.status
    if key.kind == RESTORES and (body := known.restores.get(name)) is not None:
        request = parse_restore(body)
        return request.meta, request.status
    if key.kind == POLICIES and (policy := known.policies.get(name)) is not None:
        return policy.meta, policy.status
    if key.kind == STORES and (store := known.stores.get(name)) is not None:
        return store.meta, store.status
    if key.kind == HOSTS and (host := known.hosts.get(name)) is not None:
        return host.meta, host.status
    return None
