"""What is next for a Job, from what its attempts came to: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.agent.jobstatuses import JobReason
from strongroom.agent.records import Attempt, Outcome, Plan, build_failure
from strongroom.api.errors import Reason


@dataclass(frozen=True)
class Follow:
    """An attempt has not ended: follow its worker, or find out what became of it."""

    attempt: Attempt


@dataclass(frozen=True)
class Start:
    """Start attempt `number`, not before `at`."""

    number: int
    at: datetime


@dataclass(frozen=True)
class Conclude:
    """Nothing is left to try."""

    outcome: Outcome


Step = Follow | Start | Conclude

_UNTOLD = {
    reason.name
    for reason in (Reason.WorkerLost, Reason.DeadlineExceeded, Reason.Cancelled, Reason.InternalError)
}
"""Reasons of workers that were cut short. All others are refusals and failures that a worker itself has cleared up after."""


def next_step(
    plan: Plan, attempts: Sequence[Attempt], now: datetime, *, first_pause: float, longest_pause: float
) -> Step:
    """The next step of a Job whose attempts, in order, are these. Pauses are in seconds."""
    if not attempts:
        return _unless_late(plan, Start(1, now), attempts, now)
    last = attempts[-1]
    if last.result is None:
        return Follow(last)
    failed = sum(1 for a in attempts if a.result is not None and a.result.outcome != "Succeeded")
    if last.result.outcome == "Succeeded":
        reason = JobReason.CompletionsReached
    elif last.result.reason == Reason.DeadlineExceeded.name:
        reason = JobReason.DeadlineExceeded
    elif not last.result.retryable:
        reason = JobReason.PodFailurePolicy
    elif failed > plan.backoff_limit:
        reason = JobReason.BackoffLimitExceeded
    else:
        pause = min(longest_pause, first_pause * 2 ** min(failed - 1, 30))
        start = Start(last.number + 1, (last.ended_at or now) + timedelta(seconds=pause))
        return _unless_late(plan, start, attempts, now)
    return Conclude(Outcome(result=last.result, job_reason=reason.name, failed=failed))


def needs_roll_back(attempts: Sequence[Attempt]) -> bool:
    """Whether a restore that is given up may have left something exchanged by half: its last worker did not tell."""
    for attempt in reversed(attempts):
        was_started = attempt.process is not None or attempt.container is not None
        if attempt.result is None or not was_started:
            continue
        if attempt.result.reason == Reason.RollBackFailed.name:
            return True
        if attempt.result.outcome == "Succeeded" or attempt.result.restore is not None:
            return False
        if attempt.result.reason in _UNTOLD:
            return True
    return False


def _unless_late(plan: Plan, start: Start, attempts: Sequence[Attempt], now: datetime) -> Step:
    """No attempt begins after the deadline: waiting for one that would is in vain."""
    left = plan.seconds_left(now)
    if left is None or (max(start.at, now) - now).total_seconds() < left:
        return start
    return Conclude(conclude_late(plan, attempts, now))


def conclude_late(plan: Plan, attempts: Sequence[Attempt], now: datetime) -> Outcome:
    """The end of a Job whose time is up between two attempts; the message keeps what the last one failed of."""
    last = attempts[-1].result if attempts else None
    told = f"; the last attempt failed: {last.reason}: {last.message}" if last else ""
    message = f"the deadline of {plan.deadline_seconds} s passed after {len(attempts)} attempts{told}"
    result = build_failure(
        plan.run_uid, Reason.DeadlineExceeded, message, started_at=plan.started_at, now=now
    )
    return Outcome(result=result, job_reason=JobReason.DeadlineExceeded.name, failed=len(attempts))
