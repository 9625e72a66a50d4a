"""The status of a run after a step; whether anything changed is seen by comparing."""

from dataclasses import dataclass
from datetime import datetime

from strongroom.api.backuprun import BackupRunStatus
from strongroom.api.conditions import SUCCEEDED, build_condition, with_condition
from strongroom.api.resources import BackupPolicy, BackupRun
from strongroom.domain.runs import Finish, Follow, Rest, Start, Step, Wait
from strongroom.domain.verdicts import Verdict


def build_status(run: BackupRun, step: Step, policy: BackupPolicy | None, now: datetime) -> BackupRunStatus:
    """The run's status once the step is done. A terminal run keeps the one it has."""
    match step:
        case Rest() | Start():
            return run.status
        case Wait():
            changes: dict[str, object] = {"phase": "Pending"}
            outcome = _Outcome(None, step.reason, step.message)
        case Follow():
            changes = {
                "phase": step.phase,
                "job": step.job,
                "attempt": step.attempts,
                "start_time": step.started,
                "progress": step.progress,
            }
            outcome = _Outcome(None, step.trouble.reason if step.trouble else step.phase, _under_way(step))
        case Finish():
            verdict = step.verdict
            changes = _ended(verdict, now)
            outcome = _Outcome(verdict.phase == "Succeeded", verdict.reason, verdict.message)
    changes["policy_uid"] = run.status.policy_uid or (policy.meta.uid if policy else None)
    return run.status.model_copy(update=changes | _said(run, outcome, now))


def _under_way(step: Follow) -> str:
    if step.trouble is not None:
        return f"Job {step.job} does not start: {step.trouble.message}"
    if step.awaited is not None:
        return f"Job {step.job} waits for {step.awaited}."
    attempt = f", attempt {step.attempts}" if step.attempts > 1 else ""
    return f"Job {step.job} is under way{attempt}."


@dataclass(frozen=True)
class _Outcome:
    """What the condition Succeeded says."""

    succeeded: bool | None
    reason: str
    message: str


def _said(run: BackupRun, outcome: _Outcome, now: datetime) -> dict[str, object]:
    condition = build_condition(
        SUCCEEDED,
        status=outcome.succeeded,
        reason=outcome.reason,
        message=outcome.message,
        now=now,
        generation=run.meta.generation,
    )
    return {
        "observed_generation": run.meta.generation,
        "conditions": with_condition(run.status.conditions, condition),
        "message": condition.message,
    }


def _ended(verdict: Verdict, now: datetime) -> dict[str, object]:
    ended: dict[str, object] = {"phase": verdict.phase, "completion_time": now, "progress": None}
    result = verdict.result
    if result is None:
        return ended
    if verdict.phase == "Succeeded":
        ended["duration_seconds"] = round(
            max(0.0, (result.finished_at - result.started_at).total_seconds()), 1
        )
    return ended | {
        "recovery_point": result.recovery_point,
        "size_bytes": sum(artifact.stored_bytes for artifact in result.artifacts)
        if result.artifacts
        else None,
        "artifacts": result.artifacts,
        "contents": result.contents,
        "manifest_sha256": result.manifest_sha256,
        "copies": result.copies,
        "retention": result.retention,
    }
