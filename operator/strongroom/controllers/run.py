"""The operator process: wait for the Lease, list everything, then act until told to stop or until the Lease is lost."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from strongroom.api.labels import CONTROLLER_LEASE
from strongroom.controllers.context import Context
from strongroom.controllers.health import Health, Phase
from strongroom.controllers.leadership import FencedClient, Leadership, LeadershipLost
from strongroom.controllers.measures import Measures
from strongroom.controllers.observed import Observed
from strongroom.controllers.obstacles import Obstacles
from strongroom.controllers.queue import ReconcileQueue
from strongroom.controllers.reconciling import work
from strongroom.controllers.serverclock import ServerClock
from strongroom.controllers.serving import AddressError, serve_metrics
from strongroom.controllers.settings import Clock, OperatorSettings, system_clock
from strongroom.controllers.ticking import keep_in_step, resync, tick
from strongroom.controllers.watching import watch
from strongroom.kube.client import Answer, KubeClient
from strongroom.kube.connection import NoCluster, connect
from strongroom.kube.errors import ApiError, Unavailable
from strongroom.kube.kinds import PODS
from strongroom.kube.leases import LeaseLock
from strongroom.kube.pacing import Pace
from strongroom.kube.refusals import explain

log = logging.getLogger(__name__)
Result = TypeVar("Result")
FIRST_LISTING_SECONDS = 2.0
"""Between attempts."""
DRAIN_SECONDS = 10.0
"""A cluster gives a pod 30 s to end."""
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
        obstacles, measures, server_clock = Obstacles(), Measures(), ServerClock()
        client.on_answer = lambda answer: _hear(measures, server_clock, answer)
        leadership = _build_leadership(settings, client.unpaced(), clock, obstacles)
        client.pace = Pace(settings.requests_per_second, int(2 * settings.requests_per_second))
        context = Context(
            settings=settings,
            client=FencedClient(client, leadership),
            observed=Observed(),
            queue=ReconcileQueue(),
            measures=measures,
            clock=clock,
            obstacles=obstacles,
            server_clock=server_clock,
        )
        operator = _Operator(context, leadership, Health(settings, context.measures, obstacles))
        with serve_metrics(context, operator.health) as port:
            log.info("metrics and probes at http://%s:%d", settings.metrics_host, port)
            telling = obstacles.announce(client, settings.lease_namespace, CONTROLLER_LEASE)
            async with (
                _background(tick(context)) as ticking,
                _background(telling),
                _background(stop.wait()) as stopping,
            ):
                await operator.lead(stopping, ticking)


def _build_leadership(
    settings: OperatorSettings, client: KubeClient, clock: Clock, obstacles: Obstacles
) -> Leadership:
    seconds = settings.lease_seconds
    lock = LeaseLock(client, settings.lease_namespace, CONTROLLER_LEASE, settings.identity, seconds)

    def on_trouble(error: ApiError | TimeoutError | None) -> None:
        if error is None:
            obstacles.clear("the operator's Lease")
        else:
            slow = Unavailable(0, "", "the API server does not answer in time")
            obstacles.note("the operator's Lease", explain(error if isinstance(error, ApiError) else slow))

    return Leadership(lock, seconds, clock, on_trouble=on_trouble)


def _hear(measures: Measures, server_clock: ServerClock, answer: Answer) -> None:
    """Every answer of the API server passes here."""
    measures.hear(answer)
    if answer.date is not None:
        # The machine's own clock, as the server's is one, too: not the one that decisions are told.
        server_clock.hear(answer.date, system_clock())


@dataclass(frozen=True)
class _Operator:
    """One process from its wait for the Lease to its end."""

    context: Context
    leadership: Leadership
    health: Health

    async def lead(self, stopping: asyncio.Task[Any], ticking: asyncio.Task[Any]) -> None:
        """Wait for the Lease, act, and give it back."""
        log.info("%s waits for the Lease %s", self.context.settings.identity, CONTROLLER_LEASE)
        async with _background(self.leadership.acquire(self._stand_by)) as acquiring:
            await asyncio.wait({acquiring, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not acquiring.done():
                return
            await acquiring
        self._note_gap()
        log.info("%s leads", self.context.settings.identity)
        self.context.measures.is_leader = True
        self.health.phase = Phase.Listing
        watching: set[asyncio.Task[None]] = set()
        try:
            await self._act(watching, stopping, ticking)
        finally:
            self.context.measures.is_leader = False
            for task in watching:
                task.cancel()
            # It writes nothing, and takes its time to end: the next one need not wait for it.
            await self._release()
            await asyncio.gather(*watching, return_exceptions=True)

    def _stand_by(self) -> None:
        self.health.phase = Phase.Standby

    def _note_gap(self) -> None:
        """Whether nobody led for so long, or the clock was set meanwhile, nobody can tell."""
        if (before := self.leadership.renewed_before) is not None:
            now = self.context.clock()
            self.context.jumps.note(now, now - before)

    async def _act(
        self, watching: set[asyncio.Task[None]], stopping: asyncio.Task[Any], ticking: asyncio.Task[Any]
    ) -> None:
        """Reconcile until one of the tasks ends; whichever ends of itself takes the others with it."""
        context = self.context
        parts = {asyncio.create_task(self.leadership.keep(), name="leadership")}
        try:
            async with _background(self._list_everything()) as listing:
                await _first_of(parts | {listing, stopping, ticking})
                if not listing.done():
                    return
            parts.add(asyncio.create_task(keep_in_step(context), name="resync"))
            parts |= {
                asyncio.create_task(work(context), name=f"worker-{n}")
                for n in range(context.settings.workers)
            }
            watching.add(asyncio.create_task(watch(context), name="kopf"))
            self.health.phase = Phase.Active
            await _first_of(parts | watching | {stopping, ticking})
            self.health.phase = Phase.Stopping
            await self._drain(parts)
        finally:
            for task in parts:
                task.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _list_everything(self) -> None:
        """The first listing, tried until it works: nothing is decided before everything has been seen."""
        while not (await self._find_out() and await resync(self.context)):
            await asyncio.sleep(FIRST_LISTING_SECONDS)

    async def _find_out(self) -> bool:
        """Whether the API server is a cluster's, which runs pods; False if it does not answer."""
        context, about = self.context, "asking what the API server serves"
        try:
            runs_pods = await context.client.reads.serves(PODS)
        except ApiError as error:
            context.obstacles.note(about, explain(error))
            return False
        context.obstacles.clear(about)
        context.observed.pod_defaults = context.settings.job_defaults if runs_pods else None
        context.observed.reach = context.settings.reach
        return True

    async def _drain(self, parts: set[asyncio.Task[None]]) -> None:
        """Let what is at work end, as long as the Lease is ours: a run made whose status is not written is found later."""
        closing = asyncio.create_task(self.context.queue.close())
        await asyncio.wait({closing, *parts}, timeout=DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not closing.done():
            log.warning("stopping although something is still at work: the next operator takes it up")
            closing.cancel()

    async def _release(self) -> None:
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(5):
                await self.leadership.release()


async def _first_of(tasks: set[asyncio.Task[Any]]) -> None:
    """Wait until one has ended, and raise what ended it."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        await task


@asynccontextmanager
async def _background(work_: Coroutine[Any, Any, Result]) -> AsyncIterator[asyncio.Task[Result]]:
    task = asyncio.create_task(work_)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
