"""What the API server refuses us about one object: its condition says so, an Event, the log; and it is tried again."""

import logging
from contextlib import suppress

from strongroom.api.errors import StrongroomError
from strongroom.api.fields import Fields
from strongroom.api.resources import (
    BackupPolicy,
    BackupRun,
    BackupStore,
    DockerHost,
    ObjectMeta,
    RestoreRequest,
    parse_restore,
    parse_run,
)
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.kube import kinds
from strongroom.kube.errors import ApiError, Conflict
from strongroom.kube.refusals import explain

log = logging.getLogger(__name__)


async def note_refusal(context: Context, key: Key, error: ApiError) -> None:
    """Remember and tell that the server has refused something about the object."""
    refusal = explain(error)
    is_news = context.refused.get(key) != refusal
    context.refused[key] = refusal
    found = _find(context, key)
    if found is None:  # it does not parse, for instance: there is no status that could be added to
        if is_news:
            log.warning("%s: %s: %s", key, refusal.reason, refusal.message)
        return
    meta, status = found
    if is_news:
        await context.tell(key.kind, meta, "Warning", refusal.reason, refusal.message)
    try:
        await context.write_status(key.kind, meta, status, status)
    except Conflict:
        log.debug("%s: changed meanwhile; the next attempt tells of the refusal", key)
    except (ApiError, TimeoutError) as failure:
        log.log(logging.WARNING if is_news else logging.DEBUG, "%s: its status cannot tell: %s", key, failure)


def forget_refusal(context: Context, key: Key) -> None:
    """All went well: the object's status is computed anew, without it."""
    if context.refused.pop(key, None) is not None:
        log.info("%s: nothing is refused any more", key)
        context.queue.add(key)


def _find(context: Context, key: Key) -> tuple[ObjectMeta, Fields] | None:
    """The object as it was last observed; None for one that does not parse, or has ended."""
    name, known = (key.namespace, key.name), context.observed
    found: BackupPolicy | BackupStore | DockerHost | BackupRun | RestoreRequest | None = None
    match key.kind:
        case kinds.POLICIES:
            found = known.policies.get(name)
        case kinds.STORES:
            found = known.stores.get(name)
        case kinds.HOSTS:
            found = known.hosts.get(name)
        case kinds.RUNS if (body := known.active_runs.get(name)) is not None:
            found = parse_run(body)
        case kinds.RESTORES if (body := known.restores.get(name)) is not None:
            with suppress(StrongroomError):
                found = parse_restore(body)
    return None if found is None else (found.meta, found.status)
