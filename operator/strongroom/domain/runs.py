"""The next step of a run, from what is so now. Asked twice, it answers the same; a terminal run only rests."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from strongroom.api.backuprun import TERMINAL_PHASES
from strongroom.api.errors import Reason
from strongroom.api.fields import format_duration, format_time
from strongroom.api.resources import BackupPolicy, BackupRun
from strongroom.api.result import Progress
from strongroom.domain.jobstates import JobState, Word
from strongroom.domain.policies import Problem
from strongroom.domain.runrecords import is_found
from strongroom.domain.schedule import SHORTEST_STARTING_DEADLINE, jitter_offset
from strongroom.domain.spans import parse_span
from strongroom.domain.verdicts import Verdict, failed, judge_job

GRACE = timedelta(minutes=2)
"""How long after a Job's deadline its agent may take to say so."""
APPEARANCE = timedelta(seconds=30)
"""How long something named may be missing: people apply a run, its policy and its stores at one time, in any order."""
DEFAULT_STARTING_DEADLINE = timedelta(hours=1)
_MAY_APPEAR = frozenset({Reason.PolicyNotFound, Reason.StoreNotFound, Reason.HostNotFound})
_VERIFYING_STAGES = frozenset({"ReadBack", "Commit", "Prune"})


@dataclass(frozen=True)
class RunFacts:
    """What the decision rests on. `busy` says in words what works on the same target and goes first, if any."""

    run: BackupRun
    policy: BackupPolicy | None
    problem: Problem | None
    job: JobState | None
    had_job: bool
    host_is_alive: bool
    busy: str | None
    now: datetime


@dataclass(frozen=True)
class Rest:
    """There is nothing to do, ever."""


@dataclass(frozen=True)
class Wait:
    """The run cannot start yet; look again at `until`."""

    reason: str
    message: str
    until: datetime


@dataclass(frozen=True)
class Start:
    """Make the Job."""


@dataclass(frozen=True)
class Follow:
    """The Job is under way; if it says nothing more, look again at `until`."""

    phase: Literal["Running", "Verifying"]
    job: str
    started: datetime
    attempts: int
    progress: Progress | None
    until: datetime
    awaited: str | None = None
    """The agent that has not taken the Job yet."""
    trouble: Word | None = None
    """Why the cluster's pod does not start."""


@dataclass(frozen=True)
class Finish:
    """The run ends; if its Job still stands, it goes with the run's settling."""

    verdict: Verdict


Step = Rest | Wait | Start | Follow | Finish


def next_step(facts: RunFacts) -> Step:
    """What to do with a run now."""
    run = facts.run
    if run.status.phase in TERMINAL_PHASES or run.meta.deletion_timestamp is not None or is_found(run.meta):
        return Rest()
    if facts.job is not None:
        return _attend(facts, facts.job)
    if facts.had_job:
        return Finish(failed(Reason.Cancelled, f"Job {run.status.job or ''} was deleted before it ended"))
    return _begin(facts)


def _attend(facts: RunFacts, job: JobState) -> Step:
    """The run's Job exists: follow it, or judge it when it has ended or will say nothing more."""
    uid = facts.run.meta.uid
    if job.host is not None and not job.is_left_to_agent:
        fault = (
            f"spec.host: the API server dropped spec.managedBy and the node selector of Job {job.meta.name}, so the "
            "cluster would run it and not the host: something changes Jobs on their way in"
        )
        return Finish(failed(Reason.Unsupported, fault))
    if job.ending is not None:
        return Finish(judge_job(job, uid))
    until = (job.started or job.created) + job.deadline + GRACE
    if facts.now < until:
        stage = job.progress.stage if job.progress is not None else None
        phase: Literal["Running", "Verifying"] = "Verifying" if stage in _VERIFYING_STAGES else "Running"
        awaited = _agent(job, is_alive=facts.host_is_alive) if job.started is None else None
        return Follow(
            phase, job.meta.name, job.created, job.attempts, job.progress, until, awaited, job.trouble
        )
    if job.result is not None:  # the agent died between its two writes
        return Finish(judge_job(job, uid))
    return Finish(_judge_overdue(job, host_is_alive=facts.host_is_alive))


def _agent(job: JobState, *, is_alive: bool) -> str | None:
    if job.host is None:
        return None
    namespace, name = job.host
    # What an agent serves is its own choice, which the DockerHost does not tell.
    foreign = (
        f" (started with --serve-namespace {job.meta.namespace}?)" if job.meta.namespace != namespace else ""
    )
    return f"the agent of DockerHost {name}{foreign}" + ("" if is_alive else ", which is not alive")


def _judge_overdue(job: JobState, *, host_is_alive: bool) -> Verdict:
    where = f"DockerHost {job.host[1]}" if job.host else "the cluster"
    limit = format_duration(job.deadline)
    if job.started is None:
        reason = Reason.DeadlineExceeded if host_is_alive else Reason.HostNotReady
        return failed(reason, f"Job {job.meta.name} was not started by {where} within {limit}")
    silent = "" if host_is_alive else f", and the agent of {where} is silent"
    return failed(Reason.DeadlineExceeded, f"Job {job.meta.name} did not end within {limit}{silent}")


def _begin(facts: RunFacts) -> Step:
    """There is no Job yet: start, wait, or give up."""
    begin, start_by = starting_window(facts.run, facts.policy)
    if facts.problem is not None:
        return _weigh(facts.problem, facts.run, start_by, facts.now)
    is_scheduled = facts.run.spec.reason == "Scheduled"
    if facts.now > start_by:
        message = f"the run could not start between {format_time(begin)} and {format_time(start_by)}"
        busy = f": {facts.busy} held its target" if facts.busy else ""
        verdict = failed(Reason.StartingDeadlineExceeded, message + busy)
        return Finish(Verdict("Skipped", verdict.reason, verdict.message))
    if facts.busy is not None:
        message = f"{facts.busy} works on the same target; this one waits until {format_time(start_by)}"
        return Wait(Reason.TargetBusy.name, message, start_by)
    if is_scheduled and facts.now < begin:
        return Wait("Scheduled", f"the run starts at {format_time(begin)}", begin)
    return Start()


def _weigh(problem: Problem, run: BackupRun, start_by: datetime, now: datetime) -> Step:
    """A problem that may pass is waited for until the starting deadline; any other ends the run."""
    if problem.reason in _MAY_APPEAR:
        until = (run.meta.creation_timestamp or now) + APPEARANCE
    elif problem.reason.retryable:
        until = start_by
    else:
        until = now
    if now < until:
        return Wait(problem.reason.name, problem.message, until)
    return Finish(Verdict("Failed", problem.reason.name, problem.message))


def starting_window(run: BackupRun, policy: BackupPolicy | None) -> tuple[datetime, datetime]:
    """When the run may start, and until when it must have."""
    created = run.meta.creation_timestamp
    if created is None:
        raise ValueError(f"BackupRun {run.meta.name} was not read from an API server")
    if policy is None:
        return created, created + DEFAULT_STARTING_DEADLINE
    allowed = parse_span(policy.spec.starting_deadline, least=SHORTEST_STARTING_DEADLINE)
    if run.spec.reason == "Scheduled" and run.spec.slot is not None:
        begin = run.spec.slot + jitter_offset(policy.meta.uid, parse_span(policy.spec.jitter))
        return begin, max(begin + allowed, created + SHORTEST_STARTING_DEADLINE)
    return created, created + allowed
