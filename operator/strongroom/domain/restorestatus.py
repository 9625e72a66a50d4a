"""The status of a request after a step; whether anything changed is seen by comparing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.api.conditions import SUCCEEDED, build_condition, with_condition
from strongroom.api.fields import format_time
from strongroom.api.resources import RestoreRequest
from strongroom.api.restorerequest import RestoreRequestStatus
from strongroom.api.restoring import RestorePlan, RestoreStep
from strongroom.domain.restores import keeps_replaced, step_of_progress
from strongroom.domain.restoresteps import (
    AwaitConfirmation,
    AwaitSafetyRun,
    Dropped,
    Finish,
    FollowJob,
    Proceed,
    Step,
    Wait,
)
from strongroom.domain.runrecords import RunRecord
from strongroom.domain.spans import parse_span

DROP_AGAIN = timedelta(hours=1)
"""After what was replaced could not be dropped."""
_PHASES = {"plan": "Planning", "restore": "Running", "undo": "Running"}


@dataclass(frozen=True)
class _Said:
    """What the condition Succeeded says; without a status it is under way."""

    succeeded: bool | None
    reason: str
    message: str


def build_status(
    request: RestoreRequest, step: Step, safety: RunRecord | None, now: datetime, targets: str | None = None
) -> RestoreRequestStatus:
    """The request's status once the step is done. `targets`: digest of where the data goes."""
    if isinstance(step, Dropped):
        return _dropped(request, step, now)
    told = _tell(request, step, safety, now)
    if told is None:
        return request.status
    changes, said = told
    if "plan" in changes and request.status.plan is None:
        changes |= {"planned_time": now, "planned_targets": targets}
    return request.status.model_copy(update=changes | _condition(request, said, now))


def _tell(
    request: RestoreRequest, step: Step, safety: RunRecord | None, now: datetime
) -> tuple[dict[str, object], _Said] | None:
    """What the step changes and says; None for one that says nothing new."""
    told: tuple[dict[str, object], _Said] | None = None
    match step:
        case Wait():
            told = {}, _Said(None, step.reason, step.message)
        case FollowJob() if step.purpose != "drop":
            told = _following(request, step, safety)
        case AwaitConfirmation():
            changes = {"phase": "AwaitingConfirmation", "plan": step.plan, "progress": None}
            told = changes, _Said(None, "AwaitingConfirmation", step.message)
        case Proceed():
            told = {"plan": step.plan, "progress": None}, _Said(None, "Planned", _summary(step.plan))
        case AwaitSafetyRun():
            message = f"The present state is backed up first: BackupRun {step.run}."
            told = {"phase": "Securing", "safety_run": step.run}, _Said(None, "Securing", message)
        case Finish():
            told = _ended(request, step, safety, now)
        case _:
            pass
    return told


def _following(
    request: RestoreRequest, step: FollowJob, safety: RunRecord | None
) -> tuple[dict[str, object], _Said]:
    job = step.job
    changes: dict[str, object] = {
        "phase": _PHASES[step.purpose],
        # The restore's own name stays: by that it is known that there was one.
        "job": request.status.job if step.purpose == "undo" else job.meta.name,
        "progress": step_of_progress(job.progress),
    }
    if step.purpose == "restore":
        changes["start_time"] = request.status.start_time or job.created
        if job.progress is not None and job.progress.steps:
            changes["steps"] = _with_safety(request, safety, job.progress.steps)
    if job.started is None and job.host is not None:
        message = f"Job {job.meta.name} waits for the agent of DockerHost {job.host[1]}."
    else:
        attempt = f", attempt {job.attempts}" if job.attempts > 1 else ""
        does = "puts back the old state" if step.purpose == "undo" else "is under way"
        message = f"Job {job.meta.name} {does}{attempt}."
    return changes, _Said(None, _PHASES[step.purpose], message)


def _ended(
    request: RestoreRequest, step: Finish, safety: RunRecord | None, now: datetime
) -> tuple[dict[str, object], _Said]:
    outcome = step.outcome
    changes: dict[str, object] = {
        "phase": "Succeeded" if step.succeeded else "Failed",
        "completion_time": now,
        "progress": None,
    }
    message = step.message
    if outcome is not None:
        kept = step.succeeded and bool(outcome.replaced)  # also what was to be dropped, and still stands
        drop_time = now + parse_span(request.spec.keep_replaced) if kept else None
        changes |= {
            "steps": _with_safety(request, safety, outcome.steps),
            "checks": outcome.checks,
            "store": outcome.store,
            "rolled_back": outcome.rolled_back,
            "replaced": outcome.replaced,
            "drop_time": drop_time,
            "restore_seconds": outcome.restore_seconds,
            "differences": outcome.differences,
        }
        if drop_time is not None and keeps_replaced(request):
            names = ", ".join(each.kept_as for each in outcome.replaced)
            message = f"{message.removesuffix('.')}. What was replaced is kept until {format_time(drop_time)}: {names}."
    return changes, _Said(step.succeeded, step.reason, message)


def _with_safety(
    request: RestoreRequest, safety: RunRecord | None, steps: Sequence[RestoreStep]
) -> list[RestoreStep]:
    """The worker's steps behind the one that went before."""
    if request.spec.target.mode != "InPlace":
        return list(steps)
    if safety is None:
        return [RestoreStep(name="SafetyBackup", state="Skipped"), *steps]
    first = RestoreStep(
        name="SafetyBackup",
        state="Succeeded",
        started_at=safety.moment,
        finished_at=safety.completed,
        message=f"BackupRun {safety.name}",
    )
    return [first, *steps]


def _dropped(request: RestoreRequest, step: Dropped, now: datetime) -> RestoreRequestStatus:
    """The end of what was replaced; what could not be dropped is tried again later."""
    status = request.status
    if step.trouble is None:
        told = f": {step.told}" if step.told else ""
        words = (
            f"{_without_keeping(status.message)} What was replaced is gone since {format_time(now)}{told}."
        )
        return status.model_copy(update={"dropped_time": now, "message": words.strip()})
    again = now + DROP_AGAIN
    words = f"{_without_keeping(status.message)} What was replaced could not be dropped ({step.trouble}); tried again at {format_time(again)}."
    return status.model_copy(update={"drop_time": again, "message": words.strip()})


def _without_keeping(message: str | None) -> str:
    return (message or "").partition(" What was replaced ")[0]


def _summary(plan: RestorePlan) -> str:
    count = len(plan.items)
    return f"{count} artifact{'s' * (count != 1)} of run {plan.run} from store {plan.stores[0]}."


def _condition(request: RestoreRequest, said: _Said, now: datetime) -> dict[str, object]:
    condition = build_condition(
        SUCCEEDED,
        status=said.succeeded,
        reason=said.reason,
        message=said.message,
        now=now,
        generation=request.meta.generation,
    )
    return {
        "observed_generation": request.meta.generation,
        "conditions": with_condition(request.status.conditions, condition),
        "message": condition.message,
    }
