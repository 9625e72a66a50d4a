"""What a Job's worker has left stopped, paused or owed is undone here: after each attempt, and for as long as it takes.

Nothing here runs while a worker of the Job may live.
"""

import asyncio
import logging

from strongroom.agent.asks import ContainerAsk, list_asks
from strongroom.agent.folders import JobFolder
from strongroom.agent.gatekeeping import find_controlled
from strongroom.agent.holding import EVERYTHING, Holds, find_services
from strongroom.agent.hostview import look_at_host
from strongroom.agent.permissions import build_permissions
from strongroom.agent.settings import AgentSettings
from strongroom.agent.verdicts import Undone
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.hooks import Hooks
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import Engine, connect_engine
from strongroom.engine.ending import build_marker
from strongroom.engine.journal import Journal
from strongroom.engine.undoing import Debts, settle_seconds, undo_all
from strongroom.kube.following import pause_seconds

log = logging.getLogger(__name__)


class Until:
    """How long to go on trying: until someone does not want the Job any more, or time is over."""

    def __init__(self, cancelled: asyncio.Event | None = None, seconds: float | None = None) -> None:
        """Neither given: for ever."""
        self._cancelled = cancelled or asyncio.Event()
        self._end = None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def pause(self, seconds: float | None = None) -> bool:
        """Wait that long, or else to the very end; False when it is time to give up."""
        left = self._left()
        if self._cancelled.is_set() or (left is not None and left <= 0):
            return False
        waits = [each for each in (left, seconds) if each is not None]
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._cancelled.wait()
        except TimeoutError:
            return True
        return False

    def _left(self) -> float | None:
        return None if self._end is None else self._end - asyncio.get_running_loop().time()


class Undoing:
    """Hooks of this host's Jobs: whose turn it is to stop a service, and that it runs again afterwards."""

    def __init__(self, settings: AgentSettings) -> None:
        """Nothing is looked at yet."""
        self._settings = settings
        self.holds = Holds()

    async def take_turn(self, folder: JobFolder, until: Until) -> bool:
        """Wait until no other Job may stop or pause what this one may; False if that took too long.

        It lasts over restarts of the agent, until all is undone.
        """
        order = await asyncio.to_thread(folder.read_order)
        services = await asyncio.to_thread(find_services, order, self._settings.engine_url)
        if not services:
            return True
        taking = asyncio.create_task(self.holds.take(folder.uid, services))
        waiting = asyncio.create_task(until.pause())
        try:
            await asyncio.wait([taking, waiting], return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                return False
            await asyncio.to_thread(folder.save_hold, services)
        finally:
            taking.cancel()
            waiting.cancel()
        return True

    async def keep_turn(self, folder: JobFolder) -> None:
        """Go on with the turn that the Job had when an agent ended. All services are its own if the record is damaged."""
        try:
            services = await asyncio.to_thread(folder.hold)
        except ValueError as error:
            log.warning("Job %s: what it may stop is not known: %s", folder.uid, type(error).__name__)
            services = frozenset([EVERYTHING])
        if services is not None:
            self.holds.keep(folder.uid, services)

    async def undo(self, folder: JobFolder, until: Until) -> Undone:
        """Try until nothing is left to undo, with growing pauses; then others have their turn. The last try's outcome."""
        failures = 0
        while True:
            last = await asyncio.to_thread(self._try, folder)
            if last.complete:
                await asyncio.to_thread(folder.remove_hold)
                await self.holds.release(folder.uid)
                return last
            failures += 1
            pause = min(self._settings.timing.longest_api_pause_seconds, pause_seconds(failures))
            if not await until.pause(pause):
                return last

    def _try(self, folder: JobFolder) -> Undone:
        journal = Journal(folder.journal)
        if not journal.entries():
            return Undone(complete=True)
        order = folder.read_order()
        trouble, reason = "", None
        try:
            engine = connect_engine(self._settings.engine_url)
            undo_all(engine, journal, self._debts(order, folder, engine))
        except StrongroomError as error:
            trouble, reason = error.message, error.reason
            log.warning("Job %s: hooks are not undone: %s", folder.uid, error.message)
        left = journal.entries()
        if not left:
            log.info("Job %s: what its worker had left of its hooks is undone", folder.uid)
        return Undone(complete=not left, trouble=trouble, reason=reason)

    def _debts(self, order: WorkOrder, folder: JobFolder, engine: Engine) -> Debts:
        """The commands owed, and what may be started; the journal may be the work of a worker that was turned against us."""
        hooks = order.all_hooks
        return Debts(
            hooks=self._allowed(hooks, order, Journal(folder.journal), engine),
            marker=build_marker(order.run_uid),
            containers=find_controlled(folder),
            settle_seconds=max(map(settle_seconds, hooks.values()), default=0.0),
        )

    def _allowed(
        self, hooks: dict[str | None, Hooks], order: WorkOrder, journal: Journal, engine: Engine
    ) -> dict[str | None, Hooks]:
        """None when this host does not allow their commands any more. Services are put back all the same."""
        if all(entry.command is None for entry in journal.entries()):
            return hooks
        asks = [ask for ask in list_asks(order) if isinstance(ask, ContainerAsk) and ask.use == "command"]
        try:
            build_permissions(self._settings.allowed).check(asks, look_at_host(order, asks, engine))
        except StrongroomError as error:
            if error.reason is not Reason.HostForbids:
                raise
            log.error("Job %s: commands of its hooks are not run: %s", order.run_uid, error.message)  # noqa: TRY400  the text says it all
            return {}
        return hooks
