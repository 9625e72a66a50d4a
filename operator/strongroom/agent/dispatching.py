"""Which Jobs run here, now: follows those addressed to this host, claims them oldest first, and keeps one execution for each.

Level-triggered: an event only wakes the pass, which looks at everything that is known.
"""

import asyncio
import logging
from collections.abc import Callable

from strongroom.agent import clock
from strongroom.agent.claims import claim, prepare
from strongroom.agent.execution import Execution, Means
from strongroom.agent.folders import StateFolder
from strongroom.agent.jobs import Job, Standing, oldest_first, parse_job
from strongroom.agent.records import Plan
from strongroom.agent.retries import conclude_late
from strongroom.agent.settings import AgentSettings
from strongroom.api.labels import HOST_LABEL, HOST_NAMESPACE_LABEL
from strongroom.kube.client import Object
from strongroom.kube.errors import ApiError, Forbidden
from strongroom.kube.following import Change, follow, pause_seconds
from strongroom.kube.kinds import JOBS
from strongroom.kube.subjects import at_work_on

log = logging.getLogger(__name__)


class Dispatcher:
    """All Jobs of one host."""

    def __init__(
        self,
        settings: AgentSettings,
        identity: str,
        means: Means,
        state: StateFolder,
        slots: Callable[[], int],
        *,
        beat: Callable[[], None],
    ) -> None:
        """`slots` is how many Jobs may run at this moment: 0 while this agent may not claim at all.

        `beat` is called for every pass, and for every Job that one looks at.
        """
        self._settings = settings
        self._identity = identity
        self._means = means
        self._state = state
        self._slots = slots
        self._beat = beat
        self._known: dict[str, Job] = {}
        self._executions: dict[str, Execution] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    @property
    def running(self) -> int:
        """Jobs that have, or wait for, a worker."""
        return sum(1 for execution in self._executions.values() if not execution.decided)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to run or to deliver."""
        return not self._tasks

    def wake(self) -> None:
        """Look again soon: something may have changed."""
        self._wake.set()

    async def resume(self) -> None:
        """Continue what an earlier agent of this state folder left; needs no API."""
        folders = await asyncio.to_thread(self._state.jobs)
        for folder in folders:
            # Before anything runs: a service that one Job has stopped is no other's to stop.
            await self._means.undoing.keep_turn(folder)
        for folder in folders:
            try:
                plan = await asyncio.to_thread(folder.plan)
            except ValueError as error:
                log.error("%s is left alone, its plan cannot be read: %s", folder.path, error)  # noqa: TRY400  the text says it all
                continue
            if plan is None:
                await asyncio.to_thread(folder.remove)
            else:
                log.info("Job %s/%s is taken up again", plan.namespace, plan.name)
                self._execute(plan)

    async def run(self) -> None:
        """Claim and carry out for ever. Cancelling it leaves workers running; see `leave`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pass_for_ever())
            for namespace in await self._scopes():
                group.create_task(self._follow(namespace))

    async def leave(self) -> None:
        """Stop attending to the executions. Their workers run on, and are adopted by the next agent."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _scopes(self) -> list[str | None]:
        """All namespaces at once where we may look at all (then foreign Jobs are refused aloud), else each that we serve."""
        failures = 0
        while True:
            try:
                await self._means.client.list(JOBS, labels=self._labels())
            except Forbidden:
                return list(dict.fromkeys((self._settings.namespace, *self._settings.served_namespaces)))
            except ApiError as error:
                log.warning("cannot look for Jobs yet: %s", error)
                failures += 1
                await asyncio.sleep(pause_seconds(failures))
            else:
                return [None]

    def _labels(self) -> dict[str, str]:
        return {HOST_LABEL: self._settings.host_name, HOST_NAMESPACE_LABEL: self._settings.namespace}

    async def _follow(self, namespace: str | None) -> None:
        async for change in follow(self._means.client, JOBS, namespace, labels=self._labels()):
            self._take_in(change, namespace)
            self._wake.set()

    def _take_in(self, change: Change, namespace: str | None) -> None:
        if change.type == "LISTED":
            self._known = {
                uid: job for uid, job in self._known.items() if namespace not in (None, job.namespace)
            }
        for body in change.objects:
            if (job := _parsed(body)) is None:
                continue
            if change.type == "DELETED":
                self._known.pop(job.uid, None)
            else:
                self._known[job.uid] = job

    async def _cancel_orphans(self) -> None:
        """Executions whose Job is not known: deleted, perhaps while nobody watched; or only out of sight."""
        for uid, execution in list(self._executions.items()):
            self._beat()
            if uid not in self._known and await self._is_gone(execution.plan):
                execution.cancel()

    async def _is_gone(self, plan: Plan) -> bool:
        try:
            found = await self._means.client.get(JOBS, plan.namespace, plan.name)
        except ApiError:
            return False
        return found is None or found["metadata"]["uid"] != plan.uid

    async def _pass_for_ever(self) -> None:
        while True:
            self._wake.clear()
            self._beat()
            if not await self._pass():
                await asyncio.sleep(pause_seconds(1))
            try:
                async with asyncio.timeout(self._settings.timing.pass_seconds):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _pass(self) -> bool:
        """Look at every Job that is known; False if something failed. One that fails does not hold up the younger."""
        await self._cancel_orphans()
        is_well = True
        for job in oldest_first(list(self._known.values())):
            self._beat()
            try:
                with at_work_on("Job", job.namespace, job.name):
                    await self._look_at(job)
            except (ApiError, OSError) as error:
                log.warning("Job %s is put off: %s", job, error)
                is_well = False
            except Exception:
                # A fault of ours about one Job must not end the others' agent; the operator ends the Job in time.
                log.exception("Job %s is put off: a fault of the agent", job)
                is_well = False
        return is_well

    async def _look_at(self, job: Job) -> None:
        standing = self._standing(job)
        execution = self._executions.get(job.uid)
        if standing is Standing.Over:
            if execution is not None:
                execution.cancel()
        elif execution is not None:
            return
        elif standing is Standing.Ours:
            await self._adopt(job)
        elif standing is Standing.Free:
            await self._claim(job)
        elif standing is Standing.Anothers:
            await self._end_abandoned(job)

    async def _adopt(self, job: Job) -> None:
        """Ours, with no execution: killed between the claim and the folder. Or what we know is older than its end."""
        found = await self._means.client.get(JOBS, job.namespace, job.name)
        fresh = _parsed(found) if found is not None else None
        if fresh is not None and fresh.uid == job.uid and self._standing(fresh) is Standing.Ours:
            self._execute(await prepare(fresh, self._settings, self._state))

    async def _claim(self, job: Job) -> None:
        slots = self._slots()
        refused_at_once = slots > 0 and not self._settings.serves(job.namespace)
        if self.running >= slots and not refused_at_once:
            return
        if (claimed := await claim(self._means.client, job, self._identity)) is not None:
            self._known[job.uid] = claimed
            self._execute(await prepare(claimed, self._settings, self._state))

    async def _end_abandoned(self, job: Job) -> None:
        """A Job of an agent whose state folder is lost, for we hold the host's Lease: nobody else would ever end it.

        Not before its deadline, when its worker, should it still run, has ended itself.
        """
        grace = self._settings.timing.lease_seconds + self._settings.timing.kill_grace_seconds
        if self._slots() < 1 or job.overdue_seconds(clock.now()) < grace:
            return
        if (claimed := await claim(self._means.client, job, self._identity)) is None:
            return
        log.warning("Job %s is ended for %s, which does not come back", job, job.claimed_by)
        plan = await prepare(claimed, self._settings, self._state)
        outcome = conclude_late(plan, [], clock.now())
        await asyncio.to_thread(self._state.job(job.uid).save_outcome, outcome)
        self._execute(plan)

    def _standing(self, job: Job) -> Standing:
        return job.standing(self._settings.namespace, self._settings.host_name, self._identity)

    def _execute(self, plan: Plan) -> None:
        execution = Execution(self._means, plan, self._state.job(plan.uid))
        self._executions[plan.uid] = execution
        with at_work_on("Job", plan.namespace, plan.name):  # also what the task says: it starts within
            task = asyncio.create_task(self._attend(execution), name=f"job {plan.namespace}/{plan.name}")
        self._tasks[plan.uid] = task
        task.add_done_callback(lambda _: self._forget(plan.uid))

    def _forget(self, uid: str) -> None:
        del self._executions[uid], self._tasks[uid]
        # What is known of it is older than its end, which the API tells us next; until then it must not start again.
        self._known.pop(uid, None)
        self._wake.set()

    async def _attend(self, execution: Execution) -> None:
        """Run it to its end, through a full or failing disk. A fault of ours ends this Job and not the others."""
        failures, fault = 0, None
        while True:
            try:
                if fault is not None:
                    await execution.give_up(fault)
                return await execution.run()
            except OSError as error:
                log.error("%s: the state folder fails: %s", execution, error)  # noqa: TRY400  the text says it all
            except Exception as error:
                log.exception("%s: a fault of the agent", execution)
                fault = f"the agent failed: {type(error).__name__}"
            failures += 1
            await asyncio.sleep(pause_seconds(failures))


def _parsed(body: Object) -> Job | None:
    try:
        return parse_job(body)
    except ValueError as error:
        log.warning("a Job is passed over: %s", error)
        return None
