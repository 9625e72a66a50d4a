"""The next step of a restore, from what is so now. Asked twice, it answers the same; a request that has ended only minds what it keeps."""

import json
import shlex
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from strongroom.api.backuprun import TERMINAL_PHASES as ENDED_RUN
from strongroom.api.errors import Reason
from strongroom.api.fields import format_duration, format_time
from strongroom.api.resources import RestoreRequest
from strongroom.api.restoring import MOST_LINES, RestoreOutcome, RestorePlan
from strongroom.api.result import Progress, WorkResult
from strongroom.domain.jobstates import JobState
from strongroom.domain.policies import Problem
from strongroom.domain.restoresteps import (
    AwaitConfirmation,
    AwaitSafetyRun,
    Dropped,
    Finish,
    FollowJob,
    MakeJob,
    MakeSafetyRun,
    Proceed,
    Purpose,
    Rest,
    Step,
    Wait,
)
from strongroom.domain.runrecords import RunRecord
from strongroom.domain.runs import APPEARANCE, GRACE
from strongroom.domain.spans import parse_span
from strongroom.domain.verdicts import read_result

TERMINAL_PHASES: frozenset[str] = frozenset({"Succeeded", "Failed"})
STARTING_DEADLINE = timedelta(hours=1)
"""How long a request waits for what may pass: a host that is away, a target that is busy."""
_MAY_APPEAR = frozenset(
    {Reason.PolicyNotFound, Reason.StoreNotFound, Reason.HostNotFound, Reason.BackupNotFound}
)
"""People apply a policy, its stores and a request at one time, in any order."""


@dataclass(frozen=True)
class RestoreFacts:
    """What the decision rests on. `busy` names what works on the same target and goes first, if anything does."""

    request: RestoreRequest
    problem: Problem | None
    jobs: dict[Purpose, JobState]
    safety: RunRecord | None
    needs_safety: bool
    """Whether the present state is to be backed up before, and can be: by the policy, of its own sources."""
    busy: str | None
    host_is_alive: bool
    now: datetime
    can_undo: bool = False
    """Whether a Job can be made that puts back the old: where the cluster restores. An agent does it by itself."""
    expected_seconds: float | None = None
    """How long the last drill that passed took to restore a backup of that policy."""
    clock_is_suspect: bool = False
    """Whether the clock and the API server's differ."""
    clock_ahead: timedelta = timedelta(0)
    """By how much more the clock has moved since the request ended than time may have passed."""
    targets: str | None = None
    """Digest of where the data goes by what policy and request say now."""


def next_step(facts: RestoreFacts) -> Step:
    """What to do with a request now."""
    request = facts.request
    if request.meta.deletion_timestamp is not None:
        return Rest()
    if request.status.phase in TERMINAL_PHASES:
        return _mind_what_is_kept(facts)
    if request.spec.target.mode == "Drill":
        return _drill(facts)
    if request.status.plan is None:
        return _plan(facts)
    return _carry_out(facts, request.status.plan)


def _drill(facts: RestoreFacts) -> Step:
    """Nothing is overwritten, and so nothing is planned or confirmed."""
    job = facts.jobs.get("restore")
    if job is None:
        return _missed(facts) or _begin(facts, "restore")
    if (pending := _pending(facts, "restore", job)) is not None:
        return pending
    result = read_result(job, facts.request.meta.uid)
    if not isinstance(result, WorkResult):
        return Finish(succeeded=False, reason=result.reason, message=result.message)
    drill = result.drill
    if drill is None:
        return _failed(result)
    outcome = RestoreOutcome(store=drill.store, checks=drill.checks, restore_seconds=drill.restore_seconds)
    if drill.passed and result.outcome == "Succeeded" and all(check.passed for check in drill.checks):
        words = (
            f"run {drill.run} was restored from store {drill.store}; {drill.compared_count} things compared"
        )
        return Finish(succeeded=True, reason="Succeeded", message=words, outcome=outcome)
    words = f"{drill.message or result.message}. {Reason.DrillFailed.hint}"
    return Finish(
        succeeded=False, reason=drill.reason or Reason.DrillFailed.name, message=words, outcome=outcome
    )


def _missed(facts: RestoreFacts) -> Finish | None:
    """The end of a request whose Job was under way and is not there any more."""
    if facts.request.status.phase != "Running" or facts.request.status.job is None:
        return None
    return _deleted(facts.request)


def _deleted(request: RestoreRequest) -> Finish:
    words = f"Job {request.status.job} was deleted before it ended: whoever ran it undoes what it had begun"
    return Finish(succeeded=False, reason=Reason.Cancelled.name, message=words)


def _plan(facts: RestoreFacts) -> Step:
    """Find out what would be done."""
    job = facts.jobs.get("plan")
    if job is None:
        return _begin(facts, "plan")
    if (pending := _pending(facts, "plan", job)) is not None:
        return pending
    result = read_result(job, facts.request.meta.uid)
    if not isinstance(result, WorkResult):
        return Finish(succeeded=False, reason=result.reason, message=result.message)
    if result.outcome != "Succeeded" or result.plan is None:
        return _failed(result)
    return _judge_plan(facts.request, _with_expectation(result.plan, facts.expected_seconds))


def _with_expectation(plan: RestorePlan, seconds: float | None) -> RestorePlan:
    if seconds is None:
        return plan
    told = f"the last drill that passed restored a backup of this policy in {seconds:.0f} s"
    lines = [*plan.lines[: MOST_LINES - 1], told]
    return plan.model_copy(update={"expected_seconds": seconds, "lines": lines})


def _judge_plan(request: RestoreRequest, plan: RestorePlan) -> AwaitConfirmation | Proceed:
    wanted, given = plan.confirmation, request.spec.confirm
    if request.spec.target.mode != "InPlace" or wanted is None or given == wanted:
        return Proceed(plan)
    if given is None:
        said = "It overwrites what is there and waits for its confirmation"
    else:
        said = f"spec.confirm is {given!r} and not what will be overwritten"
    name = request.meta.name
    patch = json.dumps({"spec": {"confirm": wanted}}, ensure_ascii=False)
    way = f"kubectl patch rr {name} --type merge -p {shlex.quote(patch)}"
    return AwaitConfirmation(
        plan, f"{said}: set spec.confirm to {wanted!r} ({way}) to go on, or delete the request"
    )


def _carry_out(facts: RestoreFacts, plan: RestorePlan) -> Step:
    """The plan is known: wait for its confirmation, secure, restore."""
    verdict = _judge_plan(facts.request, plan)
    job = facts.jobs.get("restore")
    had_job = facts.request.status.phase == "Running" and facts.request.status.job is not None
    if job is not None:
        return _pending(facts, "restore", job) or _undo(facts, job, _judge(facts, job))
    if had_job:
        return _undo(facts, None, _deleted(facts.request))
    if facts.request.status.planned_targets not in (None, facts.targets):
        words = (
            "the policy was changed after the plan was made: what was planned, and perhaps confirmed, is another place than the "
            "policy means now. Nothing was touched; create another request"
        )
        return Finish(succeeded=False, reason=Reason.ConfirmationWrong.name, message=words)
    if isinstance(verdict, AwaitConfirmation):
        return verdict
    return _secure(facts, plan) or _begin(facts, "restore")


def _secure(facts: RestoreFacts, plan: RestorePlan) -> Step | None:
    """The safety backup first; None when there is one, or none is wanted."""
    sources = tuple(
        sorted({item.source for item in plan.items if item.overwrites and item.kind != "globals"})
    )
    if not facts.needs_safety or not sources:
        return None
    run = facts.safety
    if (
        run is None
        and facts.request.status.safety_run is not None
        and facts.request.status.phase == "Securing"
    ):
        words = f"BackupRun {facts.request.status.safety_run}, the safety backup, was deleted before it ended"
        return Finish(succeeded=False, reason=Reason.Cancelled.name, message=words)
    if run is None:
        return MakeSafetyRun(sources)
    if run.phase not in ENDED_RUN:
        return AwaitSafetyRun(run.name)
    if run.phase == "Succeeded" or (run.phase == "Partial" and run.good_stores):
        return None
    words = (
        f"the safety backup, BackupRun {run.name}, ended {run.phase} ({run.result}: {run.message}); nothing was touched. "
        "Mend what keeps it from succeeding and create another request; with safetyBackup: false there will be none"
    )
    return Finish(succeeded=False, reason=run.result or Reason.InternalError.name, message=words)


def _begin(facts: RestoreFacts, purpose: Purpose) -> Step:
    """Make the Job, wait, or give up."""
    created = facts.request.meta.creation_timestamp or facts.now
    if purpose == "restore":
        created = max(created, facts.request.status.planned_time or created, _secured(facts) or created)
    start_by = created + STARTING_DEADLINE
    if facts.problem is not None:
        reason = facts.problem.reason
        until = created + APPEARANCE if reason in _MAY_APPEAR else start_by if reason.retryable else facts.now
        if facts.now < until:
            return Wait(reason.name, facts.problem.message, until)
        return Finish(succeeded=False, reason=reason.name, message=facts.problem.message)
    if facts.busy is not None and purpose != "plan":
        if facts.now < start_by:
            message = (
                f"{facts.busy} works on the same target; this request waits until {format_time(start_by)}"
            )
            return Wait(Reason.TargetBusy.name, message, start_by)
        message = f"{facts.busy} held the target until {format_time(start_by)}"
        return Finish(succeeded=False, reason=Reason.TargetBusy.name, message=message)
    return MakeJob(purpose)


def _secured(facts: RestoreFacts) -> datetime | None:
    return None if facts.safety is None else facts.safety.completed


def _pending(facts: RestoreFacts, purpose: Purpose, job: JobState) -> Step | None:
    """None when the Job has ended, or will say nothing more but has left its result."""
    if job.ending is not None:
        return None
    until = (job.started or job.created) + job.deadline + GRACE
    if facts.now < until:
        return FollowJob(purpose, job, until)
    if job.result is not None:
        return None
    where = f"DockerHost {job.host[1]}" if job.host else "the cluster"
    limit = format_duration(job.deadline)
    reason = Reason.DeadlineExceeded if facts.host_is_alive else Reason.HostNotReady
    message = f"Job {job.meta.name} did not end on {where} within {limit}. {reason.hint}"
    return Finish(succeeded=False, reason=reason.name, message=message)


def _judge(facts: RestoreFacts, job: JobState) -> Finish:
    """How the restore has ended."""
    result = read_result(job, facts.request.meta.uid)
    if not isinstance(result, WorkResult):
        return Finish(succeeded=False, reason=result.reason, message=result.message)
    if result.outcome != "Succeeded":
        return _failed(result)
    if result.restore is None or any(not check.passed for check in result.restore.checks):
        words = f"Job {job.meta.name} claims success without its proof. {Reason.ComparisonFailed.hint}"
        return Finish(
            succeeded=False, reason=Reason.ComparisonFailed.name, message=words, outcome=result.restore
        )
    return Finish(succeeded=True, reason="Succeeded", message=result.message, outcome=result.restore)


def _undo(facts: RestoreFacts, job: JobState | None, verdict: Finish) -> Step:
    """The verdict; but before that, where nobody knows what the workers of the cluster have left, the old is put back."""
    if not facts.can_undo or verdict.succeeded or verdict.outcome is not None:
        return verdict
    if job is not None and job.result is not None and job.attempts <= 1:
        return verdict  # its only worker failed before it touched anything
    if job is not None and job.progress is None:
        return verdict  # none of its workers got as far as to say a word
    undo = facts.jobs.get("undo")
    if undo is None:
        return MakeJob("undo")
    if (pending := _pending(facts, "undo", undo)) is not None:
        return pending
    return _add_undone(facts, undo, verdict)


def _add_undone(facts: RestoreFacts, undo: JobState, verdict: Finish) -> Finish:
    result = read_result(undo, facts.request.meta.uid)
    said = f"{verdict.message.removesuffix('.')}. Afterwards: "
    if isinstance(result, WorkResult) and result.outcome == "Succeeded":
        return replace(verdict, message=f"{said}{result.message}.", outcome=result.restore)
    words = f"{said}what was begun could not be put back ({result.reason}: {result.message})"
    return replace(
        verdict,
        reason=Reason.RollBackFailed.name,
        message=f"{words}. {Reason.RollBackFailed.hint}",
        outcome=result.restore if isinstance(result, WorkResult) else None,
    )


def _failed(result: WorkResult) -> Finish:
    hint = _HINTS.get(result.reason) or (
        Reason[result.reason].hint if result.reason in Reason.__members__ else ""
    )
    message = result.message if hint in result.message else f"{result.message.removesuffix('.')}. {hint}"
    reason = result.reason if result.reason in Reason.__members__ else Reason.InternalError.name
    return Finish(succeeded=False, reason=reason, message=message, outcome=result.restore)


_HINTS = {
    Reason.PermissionDenied.name: "Name a role that may restore, and its password, in spec.target.postgres (user, passwordSecret).",
    Reason.DatabaseNotFound.name: Reason.TargetMissing.hint,
}
"""Where the way out is another one than for a backup."""


def _mind_what_is_kept(facts: RestoreFacts) -> Step:
    """After the end: what was replaced is dropped when its time has come."""
    status = facts.request.status
    if not status.replaced or status.drop_time is None or status.dropped_time is not None:
        return Rest()
    if facts.clock_is_suspect:
        return Rest(facts.now + RETRY_DROP)
    # A clock that was set forward destroys nothing before its time.
    if facts.now < (due := status.drop_time + facts.clock_ahead):
        return Rest(due)
    job = facts.jobs.get("drop")
    if job is None:
        is_hindered = facts.problem is not None or facts.busy is not None
        return Rest(facts.now + RETRY_DROP) if is_hindered else MakeJob("drop")
    return _judge_drop(facts, job)


def _judge_drop(facts: RestoreFacts, job: JobState) -> Step:
    until = job.created + job.deadline + GRACE
    if job.ending is None and facts.now < until:
        return FollowJob("drop", job, until)
    result = read_result(job, facts.request.meta.uid)
    if isinstance(result, WorkResult) and result.outcome == "Succeeded":
        return Dropped(told=result.message)
    return Dropped(f"{result.reason}: {result.message}")


RETRY_DROP = timedelta(minutes=10)
"""How long to wait when what was replaced cannot be dropped now."""


def keeps_replaced(request: RestoreRequest) -> bool:
    """Whether what is replaced outlasts the restore."""
    return parse_span(request.spec.keep_replaced) > timedelta(0)


def step_of_progress(progress: Progress | None) -> Progress | None:
    """The worker's last word without its steps, which have a field of their own."""
    return None if progress is None else progress.model_copy(update={"steps": []})
