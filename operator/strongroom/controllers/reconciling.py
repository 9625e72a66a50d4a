"""The work on one key after another: whichever way it fails, it is counted, said, and tried again."""

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from strongroom.controllers.backuppolicy import reconcile_policy
from strongroom.controllers.backuprun import reconcile_run
from strongroom.controllers.backupstore import reconcile_store
from strongroom.controllers.context import Context
from strongroom.controllers.dockerhost import reconcile_host
from strongroom.controllers.keys import Key
from strongroom.controllers.leadership import LeadershipLost
from strongroom.controllers.pods import reconcile_job
from strongroom.controllers.refusing import forget_refusal, note_refusal
from strongroom.controllers.restorerequest import reconcile_restore
from strongroom.kube.errors import ApiError, Conflict, Forbidden, Invalid
from strongroom.kube.kinds import HOSTS, JOBS, POLICIES, RESTORES, RUNS, STORES, ApiKind
from strongroom.kube.subjects import at_work_on

log = logging.getLogger(__name__)

Reconcile = Callable[[Context, Key], Awaitable[datetime | None]]
RECONCILERS: dict[ApiKind, Reconcile] = {
    POLICIES: reconcile_policy,
    RUNS: reconcile_run,
    STORES: reconcile_store,
    HOSTS: reconcile_host,
    RESTORES: reconcile_restore,
    JOBS: reconcile_job,
}


async def work(context: Context) -> None:
    """Reconcile what the queue hands out, for ever. Raises LeadershipLost when this process must not act any more."""
    while True:
        key = await context.queue.take()
        try:
            with at_work_on(key.kind.kind, key.namespace, key.name):
                await _attend(context, key)
        finally:
            context.queue.done(key)


async def _attend(context: Context, key: Key) -> None:
    reconcile = RECONCILERS.get(key.kind)
    if reconcile is None:
        return
    started = time.perf_counter()
    try:
        context.queue.wake_at(key, await reconcile(context, key))
        forget_refusal(context, key)
    except LeadershipLost:
        raise
    except (
        Conflict
    ) as error:  # observed too early: the next version is on its way, or is read with the next listing
        log.debug("%s: %s", key, error)
        _try_again(context, key)
    except (Forbidden, Invalid) as error:  # not by itself will it be otherwise
        pause = _try_again(context, key, error)
        log.debug("%s: trying again in %.1f s: %s", key, pause, error)
        await _tell_refusal(context, key, error)
    except (ApiError, TimeoutError) as error:
        pause = _try_again(context, key, error)
        log.warning("%s: trying again in %.1f s: %s", key, pause, error)
    except Exception:
        # A fault of ours in one object must not stop the others; it is seen in the log, the metric and by its retries.
        pause = _try_again(context, key)
        log.exception("%s: trying again in %.1f s", key, pause)
    context.measures.reconcile_seconds.observe(time.perf_counter() - started)


async def _tell_refusal(context: Context, key: Key, error: ApiError) -> None:
    try:
        await note_refusal(context, key, error)
    except LeadershipLost:
        raise
    except Exception:
        log.exception("%s: a refusal could not be told: %s", key, error)


def _try_again(context: Context, key: Key, error: Exception | None = None) -> float:
    context.measures.errors[key.kind.kind] += 1
    asked = error.retry_after_seconds if isinstance(error, ApiError) else None
    return context.queue.retry(key, asked or 0.0)
