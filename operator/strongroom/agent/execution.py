"""Carrying out one claimed Job: attempts until one succeeds or none is left, then the delivery of the outcome.

Every step is written down before it is taken, so a new agent continues where an old one was killed.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime

from strongroom.agent import clock
from strongroom.agent.attempting import Attempts
from strongroom.agent.delivery import deliver
from strongroom.agent.folders import JobFolder
from strongroom.agent.isolations import Isolations
from strongroom.agent.jobstatuses import JobReason
from strongroom.agent.records import Attempt, Outcome, Plan, build_failure
from strongroom.agent.reporting import Reporter
from strongroom.agent.retries import Conclude, Follow, Start, conclude_late, needs_roll_back, next_step
from strongroom.agent.secretfiles import Values, fetch_secrets
from strongroom.agent.settings import Timing
from strongroom.agent.undoing import Undoing, Until
from strongroom.agent.verdicts import judge_rolled_back, judge_undone
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import WorkResult
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import ApiError
from strongroom.kube.following import pause_seconds

MOST_ROLL_BACKS = 3
"""How often a worker tries to put back what a restore has exchanged, before people must."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Means:
    """What every execution of this agent works with."""

    client: KubeClient
    isolations: Isolations
    timing: Timing
    undoing: Undoing


class Execution:
    """One Job on this host, from its claim to its folder's removal."""

    def __init__(self, means: Means, plan: Plan, folder: JobFolder) -> None:
        """The folder must be complete: created now, or left by an earlier agent."""
        self.plan = plan
        self._means = means
        self._folder = folder
        self._attempts = Attempts(
            plan,
            folder,
            means.isolations,
            kill_grace_seconds=means.timing.kill_grace_seconds,
        )
        self._cancelled = asyncio.Event()
        self.decided = False
        """Whether only the delivery is left: no worker of it runs any more."""

    def __str__(self) -> str:
        """The Job's namespace and name."""
        return f"Job {self.plan.namespace}/{self.plan.name}"

    def cancel(self) -> None:
        """The Job was deleted, or ended by others: end its worker."""
        self._cancelled.set()

    async def run(self) -> None:
        """Until the API has the outcome. If this task is cancelled, a running worker is left to the next agent.

        Raises OSError when the state folder cannot be read or written; running again continues.
        """
        outcome = await asyncio.to_thread(self._folder.outcome)
        if outcome is None:
            outcome = await self._decide()
        self.decided = True
        # Neither waits for the other: the API may be away for days, and so may the Engine.
        undoing = asyncio.create_task(self._means.undoing.undo(self._folder, Until()))
        try:
            longest_pause = self._means.timing.longest_api_pause_seconds
            await deliver(self._means.client, self.plan, outcome, longest_pause=longest_pause)
            await undoing
        finally:
            undoing.cancel()
        await asyncio.to_thread(self._folder.remove)
        log.info(
            "%s is over (%s): %s %s", self, outcome.job_reason, outcome.result.reason, outcome.result.message
        )

    async def give_up(self, message: str) -> None:
        """End the Job for a fault of our own: its worker is ended, and the fault is its outcome."""
        attempts = await asyncio.to_thread(self._folder.attempts)
        if attempts and attempts[-1].result is None:
            await self._attempts.end(attempts[-1])
        result = self._failure(Reason.InternalError, message)
        outcome = Outcome(result=result, job_reason=JobReason.PodFailurePolicy.name, failed=len(attempts))
        await asyncio.to_thread(self._folder.save_outcome, outcome)

    async def _decide(self) -> Outcome:
        reporter = Reporter(self._means.client, self.plan, self._means.timing.progress_seconds)
        reporting = asyncio.create_task(reporter.run())
        try:
            outcome = await self._attempt_until_decided(reporter)
        finally:
            reporting.cancel()
            # Its last write must not come after the outcome's.
            await asyncio.wait([reporting])
        try:
            await asyncio.to_thread(self._folder.save_outcome, outcome)
        except OSError as error:
            # The attempts' records lead to the same decision again: a full disk need not hold up the delivery.
            log.warning("%s: its outcome is not kept on disk: %s", self, error)
        return outcome

    async def _attempt_until_decided(self, reporter: Reporter) -> Outcome:
        timing = self._means.timing
        while True:
            attempts, _ = await self._load_attempts()
            reporter.failed = sum(1 for a in attempts if a.result and a.result.outcome != "Succeeded")
            step = next_step(
                self.plan,
                attempts,
                clock.now(),
                first_pause=timing.retry_seconds,
                longest_pause=timing.longest_retry_seconds,
            )
            match step:
                case Conclude(outcome):
                    return await self._settle(outcome, reporter)
                case Follow(attempt):
                    await self._attempts.follow(attempt, reporter, self._cancelled)
                case Start(number, at):
                    ended = (
                        await self._undo(attempts)
                        or await self._pause(at, attempts)
                        or await self._take_turn(attempts)
                        or await self._start(number, attempts)
                    )
                    if ended is not None:
                        return await self._settle(ended, reporter)

    async def _load_attempts(self) -> tuple[list[Attempt], list[Attempt]]:
        """Those that carry the order out, and those that put back what it has done."""
        attempts = await asyncio.to_thread(self._folder.attempts)
        return [each for each in attempts if not each.rolls_back], [
            each for each in attempts if each.rolls_back
        ]

    async def _settle(self, outcome: Outcome, reporter: Reporter) -> Outcome:
        """Undo the hooks of what has ended; for a while, and then the outcome says what is still to be undone.

        What a restore has exchanged by half is put back before services run on it.
        """
        outcome = await self._roll_back(outcome, reporter)
        undone = await self._means.undoing.undo(self._folder, Until(seconds=self._means.timing.undo_seconds))
        return outcome.model_copy(update={"result": judge_undone(outcome.result, undone)})

    async def _roll_back(self, outcome: Outcome, reporter: Reporter) -> Outcome:
        """Have a worker put the old state back, if the last one of a restore could not say that it has."""
        attempts, backwards = await self._load_attempts()
        if not await self._is_restore() or not needs_roll_back(attempts):
            return outcome
        while not backwards or backwards[-1].result is None or self._may_go_on(backwards):
            if backwards and backwards[-1].result is None:
                await self._attempts.follow(backwards[-1], reporter, asyncio.Event())
            else:
                await asyncio.sleep(self._means.timing.retry_seconds if backwards else 0)
                number = max(each.number for each in [*attempts, *backwards]) + 1
                log.warning("%s: the restore is given up: what it has exchanged is put back", self)
                values = await self._fetch_secrets(asyncio.Event(), rolls_back=True)
                if isinstance(values, WorkResult):
                    return outcome.model_copy(update={"result": judge_rolled_back(outcome.result, values)})
                await self._attempts.start(number, values or {}, rolls_back=True)
            _, backwards = await self._load_attempts()
        rolled = backwards[-1].result
        judged = outcome.result if rolled is None else judge_rolled_back(outcome.result, rolled)
        return outcome.model_copy(update={"result": judged})

    @staticmethod
    def _may_go_on(backwards: list[Attempt]) -> bool:
        last = backwards[-1].result
        return last is not None and last.outcome != "Succeeded" and len(backwards) < MOST_ROLL_BACKS

    async def _is_restore(self) -> bool:
        order = await asyncio.to_thread(self._folder.read_order)
        return order.kind == "Restore"

    async def _undo(self, attempts: list[Attempt]) -> Outcome | None:
        """Nothing is begun before the last attempt's hooks are undone; an outcome if it comes too late for another.

        But for a restore: services that run between two attempts would see what is exchanged by half.
        """
        if attempts and await self._is_restore():
            return None
        undone = await self._means.undoing.undo(self._folder, self._until())
        return None if undone.complete else self._too_late(attempts)

    async def _take_turn(self, attempts: list[Attempt]) -> Outcome | None:
        """Wait while another Job may stop the services that this one may; an outcome if it comes too late."""
        taken = await self._means.undoing.take_turn(self._folder, self._until())
        return None if taken else self._too_late(attempts)

    def _until(self) -> Until:
        return Until(self._cancelled, self.plan.seconds_left(clock.now()))

    def _too_late(self, attempts: list[Attempt]) -> Outcome:
        if self._cancelled.is_set():
            return self._cancellation(len(attempts))
        return conclude_late(self.plan, attempts, clock.now())

    async def _pause(self, until: datetime, attempts: list[Attempt]) -> Outcome | None:
        """Wait for the moment of the next attempt; an outcome only if the Job is cancelled before."""
        pause = max(0.0, (until - clock.now()).total_seconds())
        try:
            async with asyncio.timeout(pause):
                await self._cancelled.wait()
        except TimeoutError:
            return None
        return self._cancellation(len(attempts))

    async def _start(self, number: int, attempts: list[Attempt]) -> Outcome | None:
        """Begin an attempt; an outcome if that is impossible for good."""
        values = await self._fetch_secrets(self._cancelled, self.plan)
        if isinstance(values, WorkResult):
            return Outcome(
                result=values, job_reason=JobReason.PodFailurePolicy.name, failed=len(attempts) + 1
            )
        if values is None:
            return self._too_late(attempts)
        await self._attempts.start(number, values)
        return None

    async def _fetch_secrets(
        self, cancelled: asyncio.Event, plan: Plan | None = None, *, rolls_back: bool = False
    ) -> Values | WorkResult | None:
        """The order's Secrets; the failure where there will be none; None when it comes too late (by that plan's deadline)."""
        order = await asyncio.to_thread(self._folder.read_order)
        failures = 0
        while not cancelled.is_set():
            left = plan.seconds_left(clock.now()) if plan is not None else None
            if left is not None and left <= 0:
                return None
            try:
                return await fetch_secrets(self._means.client, order, rolls_back=rolls_back)
            except StrongroomError as error:
                return self._failure(error.reason, error.message)
            except (ApiError, TimeoutError) as error:
                log.warning("%s waits for its Secrets: %s", self, error)
                failures += 1
                await asyncio.sleep(
                    min(self._means.timing.longest_api_pause_seconds, pause_seconds(failures))
                )
        return None

    def _cancellation(self, failed: int) -> Outcome:
        result = self._failure(Reason.Cancelled, "the Job was deleted or ended by others before it ran")
        return Outcome(result=result, job_reason=JobReason.PodFailurePolicy.name, failed=failed)

    def _failure(self, reason: Reason, message: str) -> WorkResult:
        return build_failure(
            self.plan.run_uid, reason, message, started_at=self.plan.started_at, now=clock.now()
        )
