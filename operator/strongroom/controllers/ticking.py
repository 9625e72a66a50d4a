"""Time: wake what is due, at its second; look at everything again at intervals; show that the loop is alive."""

import asyncio
import logging
import time
from datetime import datetime, timedelta

from strongroom.api.labels import MANAGED_BY_LABEL, MANAGER
from strongroom.controllers.concerns import everything
from strongroom.controllers.context import Context
from strongroom.controllers.definitions import compare_definitions
from strongroom.controllers.keys import OWN, Key, key_of, watched
from strongroom.controllers.settings import Clock
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import ApiError
from strongroom.kube.kinds import ApiKind
from strongroom.kube.refusals import explain

log = logging.getLogger(__name__)
SHORTEST_PAUSE_SECONDS = 0.01
TAKEN_AT_ONCE = 50
SOONER_SECONDS = 30.0
"""Until the next attempt, when a kind could not be listed."""
OWN_JOBS = {MANAGED_BY_LABEL: MANAGER}


async def tick(context: Context) -> None:
    """Release due keys for ever, at each wake-up and at least once a tick."""
    width = context.settings.tick_seconds
    watch = _ClockWatch(context.clock)
    while True:
        context.measures.beat()
        context.queue.sooner.clear()
        _mind_clock(context)
        shown, jump = watch.find_jump()
        if context.jumps.note(shown, jump):
            log.warning("the clock was set by %s: looking at everything again", jump)
            add_everything(context)
        upcoming = context.queue.release_due(context.clock())
        pause = _pause_seconds(context.clock(), upcoming, width)
        due = time.monotonic() + pause
        try:
            async with asyncio.timeout(pause):
                await context.queue.sooner.wait()
        except TimeoutError:
            context.measures.tick_lateness.observe(max(0.0, time.monotonic() - due))


def _mind_clock(context: Context) -> None:
    """Say that the clock differs from the server's, or agrees again: policies are looked at in another light."""
    trouble, known = context.server_clock.trouble, context.clock_trouble
    if (trouble is None) == (known is None):
        return
    context.clock_trouble = trouble
    if trouble is None:
        context.obstacles.clear("clock")
    else:
        context.obstacles.note("clock", trouble, blocks=False)
    add_everything(context)


class _ClockWatch:
    """Notices that the clock was set, or that the machine slept: wake-ups asked for before may then be wrong."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = clock(), time.monotonic()

    def find_jump(self) -> tuple[datetime, timedelta]:
        """By how much the clock has moved, since last asked, beyond the time that has passed; and what it showed after that at the earliest."""
        before, self._seen = self._seen, (self._clock(), time.monotonic())
        shown = self._seen[0] - timedelta(seconds=self._seen[1] - before[1])
        return shown, shown - before[0]


def _pause_seconds(now: datetime, upcoming: datetime | None, width: float) -> float:
    if upcoming is None:
        return width
    return max(SHORTEST_PAUSE_SECONDS, min(width, (upcoming - now) / timedelta(seconds=1)))


async def keep_in_step(context: Context) -> None:
    """List everything again at intervals and reconcile it: an event that a watch lost is a late one at worst."""
    pause = context.settings.resync_seconds
    while True:
        await asyncio.sleep(pause)
        is_whole = await resync(context)
        pause = context.settings.resync_seconds
        if not is_whole:
            pause = min(pause, SOONER_SECONDS)


async def resync(context: Context) -> bool:
    """List every kind, take in what is new and what has gone, and reconcile everything; False if a kind could not be listed.

    One that cannot be listed does not hold up the others: what is known of it may be old.
    """
    scopes = context.settings.namespaces or (None,)
    await compare_definitions(context)
    kinds = watched(runs_pods=context.observed.pod_defaults is not None)
    listed = [await _try_to_list(context, kind, scopes) for kind in kinds]
    add_everything(context)
    return all(listed)


async def _try_to_list(context: Context, kind: ApiKind, scopes: tuple[str | None, ...]) -> bool:
    about = f"listing {kind.resource}"
    try:
        await _relist(context, kind, scopes)
    except ApiError as error:
        context.obstacles.note(about, explain(error))
        return False
    context.obstacles.clear(about)
    return True


def add_everything(context: Context) -> None:
    """Reconcile every object about which something may be left to do."""
    _queue(context, everything(context.observed))


async def _relist(context: Context, kind: ApiKind, scopes: tuple[str | None, ...]) -> None:
    client: KubeClient = context.client.reads
    labels = OWN_JOBS if kind in OWN else None
    present: set[Key] = set()
    versions: list[int] = []
    for scope in scopes:
        async for page in client.pages(kind, scope, labels=labels):
            versions.append(int(page.resource_version))
            for number, item in enumerate(page.items):
                present.add(key_of(kind, item))
                _queue(context, context.observed.apply(kind, None, item))
                if number % TAKEN_AT_ONCE == 0:
                    await asyncio.sleep(0)  # thousands of objects must not keep the Lease from being renewed
    _queue(context, context.observed.retain(kind, present, min(versions)))


def _queue(context: Context, keys: list[Key]) -> None:
    for key in keys:
        context.queue.add(key)
