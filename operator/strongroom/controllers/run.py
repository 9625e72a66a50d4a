"""The operator process: wait for the Lease, list everything, then act until told to stop or until the Lease is lost."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar

from strongroom.api.labels import CONTROLLER_LEASE
from strongroom.controllers.context import Context
from strongroom.controllers.leadership import FencedClient, Leadership, LeadershipLost
from strongroom.controllers.measures import Measures
from strongroom.controllers.metrics import AddressError, serve_metrics
from strongroom.controllers.observed import Observed
from strongroom.controllers.queue import ReconcileQueue
from strongroom.controllers.reconciling import work
from strongroom.controllers.settings import Clock, OperatorSettings, system_clock
from strongroom.controllers.ticking import keep_in_step, resync, tick
from strongroom.controllers.watching import watch
from strongroom.kube.client import KubeClient
from strongroom.kube.connection import NoCluster, connect
from strongroom.kube.errors import ApiError
from strongroom.kube.leases import LeaseLock

log = logging.getLogger(__name__)
Result = TypeVar("Result")
EXIT_LOST = 75
"""EX_TEMPFAIL: start me again."""
Connect = Callable[[], AbstractAsyncContextManager[KubeClient]]


def run_operator(settings: OperatorSettings) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code.

    0: told to stop. 1: it could not start, without an API or a port for metrics. 75: the Lease is lost.
    """
    try:
        asyncio.run(_until_signal(settings))
    except (NoCluster, AddressError) as error:
        print(f"strongroom operator: {error}", file=sys.stderr)  # noqa: T201  the command's answer
        return 1
    except LeadershipLost as error:
        log.error("stopping at once: %s", error)  # noqa: TRY400  a reason, not a fault
        return EXIT_LOST
    return 0


async def _until_signal(settings: OperatorSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await operate(settings, stop)


async def operate(
    settings: OperatorSettings,
    stop: asyncio.Event,
    *,
    connect_: Connect | None = None,
    clock: Clock = system_clock,
) -> None:
    """Be the operator until `stop` is set. Raises LeadershipLost, NoCluster, AddressError, or what ended a part of it."""
    async with (
        connect_ or (lambda: connect(settings.kubeconfig, component="strongroom-operator"))
    )() as client:
        lock = LeaseLock(
            client, settings.lease_namespace, CONTROLLER_LEASE, settings.identity, settings.lease_seconds
        )
        leadership = Leadership(lock, settings.lease_seconds, clock)
        context = Context(
            settings=settings,
            client=FencedClient(client, leadership),
            observed=Observed(),
            queue=ReconcileQueue(),
            measures=Measures(),
            clock=clock,
        )
        with serve_metrics(settings, context.measures, context.observed.tally, clock) as port:
            log.info("metrics and liveness at http://%s:%d", settings.metrics_host, port)
            async with _background(tick(context)) as ticking, _background(stop.wait()) as stopping:
                await _lead(context, leadership, stopping, ticking)


async def _lead(
    context: Context, leadership: Leadership, stopping: asyncio.Task[Any], ticking: asyncio.Task[Any]
) -> None:
    """Wait for the Lease, act, and give it back."""
    log.info("%s waits for the Lease %s", context.settings.identity, CONTROLLER_LEASE)
    async with _background(leadership.acquire()) as acquiring:
        await asyncio.wait({acquiring, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not acquiring.done():
            return
        await acquiring
    log.info("%s leads", context.settings.identity)
    context.measures.is_leader = True
    try:
        await _act(context, leadership, {stopping, ticking})
    finally:
        context.measures.is_leader = False
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(5):
                await leadership.release()


async def _act(context: Context, leadership: Leadership, until: set[asyncio.Task[Any]]) -> None:
    """Reconcile until one of the tasks ends; whichever ends of itself takes the others with it."""
    parts = {asyncio.create_task(leadership.keep(), name="leadership")}
    try:
        await _list_everything(context, parts, until)
        parts.add(asyncio.create_task(keep_in_step(context), name="resync"))
        parts |= {
            asyncio.create_task(work(context), name=f"worker-{n}") for n in range(context.settings.workers)
        }
        parts.add(asyncio.create_task(watch(context), name="kopf"))
        done, _ = await asyncio.wait(parts | until, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in parts:
            task.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


async def _list_everything(
    context: Context, parts: set[asyncio.Task[None]], until: set[asyncio.Task[Any]]
) -> None:
    """The first listing, tried until it works: nothing is decided before everything has been seen."""
    while True:
        try:
            await resync(context)
        except ApiError as error:
            log.warning("cannot list everything yet: %s", error)
        else:
            return
        done, _ = await asyncio.wait(parts | until, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
        if done:
            return


@asynccontextmanager
async def _background(work_: Coroutine[Any, Any, Result]) -> AsyncIterator[asyncio.Task[Result]]:
    task = asyncio.create_task(work_)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
