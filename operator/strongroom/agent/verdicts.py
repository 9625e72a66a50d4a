"""What an ended attempt came to, from how it ended and what it left: pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from strongroom.agent.records import Attempt, Plan, build_failure
from strongroom.api.errors import Reason
from strongroom.api.result import WorkResult


class End(Enum):
    """Why the agent no longer waits for a worker."""

    Exited = "it ended by itself"
    Deadline = "the Job's time is up"
    Cancelled = "nobody wants the Job any more"


@dataclass(frozen=True)
class Undone:
    """What came of undoing a Job's hooks: whether nothing is left to undo, and what went wrong, in words."""

    complete: bool
    trouble: str = ""
    reason: Reason | None = None


def judge_undone(result: WorkResult, undone: Undone) -> WorkResult:
    """The result, which says so if something is still stopped. What is in the stores is in the stores, all the same."""
    if not undone.trouble:
        return result
    words = undone.trouble if undone.complete else f"still to be undone on the host: {undone.trouble}"
    if result.outcome != "Failed" or undone.reason is not Reason.HookFailed:
        return result.model_copy(update={"message": _joined(words, result.message)})
    message = _joined(words, f"before that, {result.reason}: {result.message}")
    return result.model_copy(update={"reason": Reason.HookFailed.name, "message": message})


def judge_rolled_back(result: WorkResult, rolled: WorkResult) -> WorkResult:
    """The result of a restore that was given up, with what its last worker says of the old state."""
    if rolled.outcome == "Succeeded":
        words = _joined(result.message, rolled.message or "the old state stands")
        return result.model_copy(update={"message": words, "restore": rolled.restore or result.restore})
    words = _joined(
        f"the old state could not be put back: {rolled.reason}: {rolled.message}",
        f"before that, {result.reason}: {result.message}",
    )
    return result.model_copy(
        update={
            "reason": Reason.RollBackFailed.name,
            "message": words,
            "restore": rolled.restore or result.restore,
        }
    )


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)[:1024]


def judge(
    plan: Plan, attempt: Attempt, end: End, left: WorkResult | str, *, how: str, now: datetime
) -> WorkResult:
    """The attempt's result: the worker's, or ours in its place.

    `left` is the worker's result, or in words what is wrong with it; `how` says more about the process's end.
    A whole result of a recovery point that is committed stands whatever came after it: the worker writes it as its last act.
    """

    def failure(reason: Reason, message: str) -> WorkResult:
        built = build_failure(plan.run_uid, reason, message, started_at=attempt.started_at, now=now)
        # A restore that was ended says how far it has come, and whether it has put the old state back.
        return built if isinstance(left, str) else built.model_copy(update={"restore": left.restore})

    if isinstance(left, WorkResult) and _is_committed(left):
        return left
    if end is End.Deadline:
        return failure(
            Reason.DeadlineExceeded, f"the worker ran into the deadline of {plan.deadline_seconds} s"
        )
    if end is End.Cancelled:
        return failure(Reason.Cancelled, "the Job was deleted or ended by others while it ran")
    if isinstance(left, str):
        return failure(Reason.WorkerLost, f"the worker is gone and {left}{how}")
    if left.reason == Reason.Cancelled.name:
        # Not by us: the machine goes down, or someone sent a signal. The order itself still stands.
        return failure(Reason.WorkerLost, "the worker was stopped by a signal from outside")
    return left


def _is_committed(result: WorkResult) -> bool:
    """Whether there is nothing left to try: success, or files that changed while they were read."""
    changed = result.outcome == "Partial" and result.reason == Reason.FilesChanged.name
    return changed or result.outcome == "Succeeded"


def describe_end(exit_code: int | None, words: str) -> str:
    """How a process ended, as far as is known, to stand behind a sentence."""
    ended = (
        "" if exit_code is None else f" (signal {-exit_code})" if exit_code < 0 else f" (exit {exit_code})"
    )
    return f"{ended}; its last words: {words}" if words else ended
