"""One attempt at a Job: the worker is started or found again, followed to its end, and judged."""

import asyncio
import logging

from strongroom.agent import clock
from strongroom.agent.folders import JobFolder
from strongroom.agent.isolations import Isolations
from strongroom.agent.outputs import last_words, read_result
from strongroom.agent.records import Attempt, Plan, build_failure
from strongroom.agent.redaction import redactor_of
from strongroom.agent.reporting import Reporter
from strongroom.agent.secretfiles import Values, remove_secrets, write_secrets
from strongroom.agent.verdicts import End, describe_end, judge
from strongroom.agent.working import RunningWorker
from strongroom.api.errors import StrongroomError
from strongroom.api.result import WorkResult

ROLL_BACK_SECONDS = 1800.0
"""How long a worker may take to put the old state back, whatever the Job's own deadline is."""

log = logging.getLogger(__name__)


class Attempts:
    """The workers of one Job. Each is written down before it is started, once it runs and when it has ended."""

    def __init__(
        self, plan: Plan, folder: JobFolder, isolations: Isolations, *, kill_grace_seconds: float
    ) -> None:
        """`kill_grace_seconds` lie between SIGTERM and SIGKILL."""
        self._plan = plan
        self._folder = folder
        self._isolations = isolations
        self._kill_grace_seconds = kill_grace_seconds
        self._workers: dict[int, RunningWorker] = {}

    async def start(self, number: int, secrets: Values, *, rolls_back: bool = False) -> None:
        """Begin an attempt. If this task is cancelled meanwhile, the record tells the next agent what was begun.

        One that cannot be begun, for the host forbids it or its Engine is down, is written down as an attempt that failed.
        """
        await asyncio.to_thread(write_secrets, self._folder.secrets, secrets)
        attempt = Attempt(number=number, started_at=clock.now(), rolls_back=rolls_back)
        try:
            self._workers[number] = await asyncio.to_thread(self._launch, attempt)
        except StrongroomError as error:
            log.warning("%s/%s: attempt %d: %s", self._plan.namespace, self._plan.name, number, error.message)
            result = build_failure(
                self._plan.run_uid,
                error.reason,
                error.message,
                started_at=attempt.started_at,
                now=clock.now(),
            )
            await self._conclude(attempt, result)

    async def follow(self, attempt: Attempt, reporter: Reporter, cancelled: asyncio.Event) -> None:
        """Until the attempt has ended, by itself or by us, and its end is written down."""
        files = self._folder.attempt_folder(attempt.number)
        redactor = await asyncio.to_thread(redactor_of, self._folder.secrets, self._folder.order)
        worker = await self._worker(attempt)
        end, exit_code = End.Exited, None
        if worker is not None:
            reporter.redactor, reporter.outputs, reporter.active = redactor, (files.progress, files.log), 1
            seconds = self._plan.seconds_left(clock.now()) if not attempt.rolls_back else ROLL_BACK_SECONDS
            end, exit_code = await self._until_end(worker, cancelled, seconds)
        await self._isolations.of(attempt).clear(self._folder, attempt, worker)
        await asyncio.to_thread(self._isolations.clear_drill, self._folder)
        reporter.outputs, reporter.active = None, 0
        left = await asyncio.to_thread(read_result, files.result, self._plan.run_uid, redactor)
        words = await asyncio.to_thread(last_words, files.log, redactor)
        how = describe_end(exit_code, words)
        result = judge(self._plan, attempt, end, left, how=how, now=clock.now())
        await self._conclude(attempt, result)

    async def end(self, attempt: Attempt) -> None:
        """End the attempt's worker, if it still runs."""
        if (worker := await self._worker(attempt)) is not None:
            await worker.stop(self._kill_grace_seconds)
        await self._isolations.of(attempt).clear(self._folder, attempt, worker)
        await asyncio.to_thread(self._isolations.clear_drill, self._folder)

    def _launch(self, attempt: Attempt) -> RunningWorker:
        """See whether it may run, and how; start it. Blocks, and runs to its end once begun."""
        self._folder.clear_scratch()
        isolation, launch = self._isolations.prepare(self._plan, self._folder, attempt)
        isolated = attempt.model_copy(update={"isolation": isolation})
        worker = self._isolations.of(isolated).start(launch, isolated, self._folder.save_attempt)
        log.info("%s/%s: attempt %d is %s", self._plan.namespace, self._plan.name, attempt.number, worker)
        return worker

    async def _conclude(self, attempt: Attempt, result: WorkResult) -> None:
        # The record first: until it is written, an attempt can be judged again and its secrets are still known.
        ended = attempt.model_copy(update={"ended_at": clock.now(), "result": result})
        await asyncio.to_thread(self._folder.save_attempt, ended)
        await asyncio.to_thread(remove_secrets, self._folder.secrets)
        log.info(
            "%s/%s: attempt %d: %s %s",
            self._plan.namespace,
            self._plan.name,
            attempt.number,
            result.reason,
            result.message,
        )

    async def _worker(self, attempt: Attempt) -> RunningWorker | None:
        """The attempt's worker: one that we have started, the one on record, or one that was started and not written down."""
        if attempt.number in self._workers:
            return self._workers[attempt.number]
        return await self._isolations.of(attempt).find(self._folder, attempt)

    async def _until_end(
        self, worker: RunningWorker, cancelled: asyncio.Event, seconds: float | None
    ) -> tuple[End, int | None]:
        """Wait for the worker's end, the deadline or a cancellation; in the latter cases, end it."""
        exit_ = asyncio.create_task(worker.wait())
        cancellation = asyncio.create_task(cancelled.wait())
        try:
            await asyncio.wait(
                [exit_, cancellation],
                timeout=seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if exit_.done():
                return End.Exited, exit_.result()
        finally:
            exit_.cancel()
            cancellation.cancel()
        end = End.Cancelled if cancelled.is_set() else End.Deadline
        log.warning("ending %s: %s", worker, end.value)
        await worker.stop(self._kill_grace_seconds)
        return end, None
