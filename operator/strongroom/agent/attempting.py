"""One attempt at a Job: the worker is started or found again, followed to its end, and judged."""

import asyncio
import logging

from strongroom.agent import clock
from strongroom.agent.folders import JobFolder
from strongroom.agent.outputs import last_words, read_result
from strongroom.agent.processes import ProcessIdentity, find_by_argument
from strongroom.agent.records import Attempt, Plan
from strongroom.agent.redaction import redactor_of
from strongroom.agent.reporting import Reporter
from strongroom.agent.secretfiles import Values, remove_secrets, write_secrets
from strongroom.agent.verdicts import End, describe_end, judge
from strongroom.agent.workers import Launch, Worker, end_strays, start_worker

LAUNCH_SECONDS = 1.0

log = logging.getLogger(__name__)


class Attempts:
    """The worker processes of one Job. Each is written down before it is started, once it runs and when it has ended."""

    def __init__(
        self, plan: Plan, folder: JobFolder, *, worker_command: tuple[str, ...], kill_grace_seconds: float
    ) -> None:
        """`kill_grace_seconds` lie between SIGTERM and SIGKILL."""
        self._plan = plan
        self._folder = folder
        self._worker_command = worker_command
        self._kill_grace_seconds = kill_grace_seconds
        self._workers: dict[int, Worker] = {}

    async def start(self, number: int, secrets: Values) -> None:
        """Begin an attempt. If this task is cancelled meanwhile, the record tells the next agent what was begun."""
        await asyncio.to_thread(write_secrets, self._folder.secrets, secrets)
        self._workers[number] = await asyncio.to_thread(self._launch, number)

    async def follow(self, attempt: Attempt, reporter: Reporter, cancelled: asyncio.Event) -> None:
        """Until the attempt has ended, by itself or by us, and its end is written down."""
        files = self._folder.attempt_folder(attempt.number)
        redactor = await asyncio.to_thread(redactor_of, self._folder.secrets)
        worker = await self._worker(attempt)
        end, exit_code = End.Exited, None
        if worker is not None:
            reporter.redactor, reporter.outputs, reporter.active = redactor, (files.progress, files.log), 1
            end, exit_code = await self._until_end(worker, cancelled)
        await end_strays(worker, self._folder.scratch)
        reporter.outputs, reporter.active = None, 0
        left = await asyncio.to_thread(read_result, files.result, self._plan.run_uid, redactor)
        words = await asyncio.to_thread(last_words, files.log, redactor)
        how = describe_end(exit_code, words)
        result = judge(self._plan, attempt, end, left, how=how, now=clock.now())
        ended = attempt.model_copy(update={"ended_at": clock.now(), "result": result})
        # The record first: until it is written, an attempt can be judged again and its secrets are still known.
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

    async def end(self, attempt: Attempt) -> None:
        """End the attempt's worker, if it still runs."""
        if (worker := await self._worker(attempt)) is not None:
            await worker.stop(self._kill_grace_seconds)
        await end_strays(worker, self._folder.scratch)

    def _launch(self, number: int) -> Worker:
        """Write the intent, start the worker, write who it is. Blocks, and runs to its end once begun."""
        files, folder = self._folder.attempt_folder(number), self._folder
        attempt = Attempt(number=number, started_at=clock.now())
        folder.clear_scratch()
        folder.save_attempt(attempt)
        launch = Launch(
            command=self._worker_command,
            order=folder.order,
            secrets=folder.secrets,
            result=files.result,
            scratch=folder.scratch,
            stdout=files.progress,
            stderr=files.log,
        )
        worker = start_worker(
            launch, lambda identity: folder.save_attempt(attempt.model_copy(update={"process": identity}))
        )
        log.info(
            "%s/%s: attempt %d is process %d",
            self._plan.namespace,
            self._plan.name,
            number,
            worker.identity.pid,
        )
        return worker

    async def _worker(self, attempt: Attempt) -> Worker | None:
        """The attempt's process: our child, the one on record, or the one an agent started but could not write down."""
        if attempt.number in self._workers:
            return self._workers[attempt.number]
        identity = attempt.process or await self._find()
        return Worker(identity) if identity is not None else None

    async def _find(self) -> ProcessIdentity | None:
        # Twice: a child of an agent that was killed while starting it may still be on its way to its program.
        for pause in (0.0, LAUNCH_SECONDS):
            await asyncio.sleep(pause)
            if found := await asyncio.to_thread(find_by_argument, str(self._folder.order)):
                return found
        return None

    async def _until_end(self, worker: Worker, cancelled: asyncio.Event) -> tuple[End, int | None]:
        """Wait for the worker's end, the deadline or a cancellation; in the latter cases, end it."""
        exit_ = asyncio.create_task(worker.wait())
        cancellation = asyncio.create_task(cancelled.wait())
        try:
            await asyncio.wait(
                [exit_, cancellation],
                timeout=self._plan.seconds_left(clock.now()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if exit_.done():
                return End.Exited, exit_.result()
        finally:
            exit_.cancel()
            cancellation.cancel()
        end = End.Cancelled if cancelled.is_set() else End.Deadline
        log.warning("ending process %d: %s", worker.identity.pid, end.value)
        await worker.stop(self._kill_grace_seconds)
        return end, None
