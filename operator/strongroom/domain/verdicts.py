"""What a run's result is worth: Succeeded only if all of it is proved."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from strongroom.api.errors import Reason, excerpt, reason_named
from strongroom.api.resources import describe
from strongroom.api.result import WorkResult
from strongroom.api.workorder import WorkOrder
from strongroom.domain.jobstates import JobState

EndPhase = Literal["Succeeded", "Partial", "Failed", "Skipped"]


@dataclass(frozen=True)
class Verdict:
    """How a run ends: its phase for good, a stable reason, words, and the result if it is of this run."""

    phase: EndPhase
    reason: str
    message: str
    result: WorkResult | None = None


def judge_job(job: JobState, run_uid: str) -> Verdict:
    """The verdict on a Job that will do no more: by its result, or by the lack of one."""
    if job.result is None:
        return _judge_silence(job)
    try:
        result = WorkResult.model_validate_json(job.result)
    except ValidationError as error:
        fault = f"the result of Job {job.meta.name} cannot be read: {describe(error, 'result')}"
        return failed(Reason.InvalidOrder, fault)
    if result.run_uid != run_uid:
        fault = f"the result in Job {job.meta.name} is of another run ({excerpt(result.run_uid, 64)}) and was refused"
        return failed(Reason.InternalError, fault)
    return _judge_result(result, job)


def failed(reason: Reason, message: str) -> Verdict:
    """A failure of our own finding, with the way out."""
    return Verdict("Failed", reason.name, f"{message}. {reason.hint}")


def _judge_silence(job: JobState) -> Verdict:
    ending = job.ending
    if ending is not None and ending.reason == Reason.DeadlineExceeded.name:
        return failed(Reason.DeadlineExceeded, f"Job {job.meta.name} ran into its deadline")
    told = f" ({ending.reason}: {excerpt(ending.message)})" if ending and ending.reason else ""
    return failed(Reason.WorkerLost, f"Job {job.meta.name} ended without a result{told}")


def _judge_result(result: WorkResult, job: JobState) -> Verdict:
    if result.outcome == "Failed":
        return Verdict("Failed", _stable(result.reason), _with_way_out(result), result)
    doubt = find_doubt(result) or _find_lack(result, job.order)
    if doubt is not None:
        verdict = failed(Reason.VerificationFailed, doubt)
        return Verdict(verdict.phase, verdict.reason, verdict.message, result)
    good = {copy.store for copy in result.copies if copy.state == "Succeeded"}
    lacking = [copy for copy in result.copies if copy.state != "Succeeded"]
    absent = sorted({store.name for store in job.stores} - {copy.store for copy in result.copies})
    if not good:
        return Verdict(
            "Failed", _first_reason(result), _with_way_out(result) or "no store holds a good copy", result
        )
    if result.outcome == "Partial" or lacking or absent:
        named = ", ".join([copy.store for copy in lacking] + absent) or "part of the sources"
        return Verdict(
            "Partial", _first_reason(result), _with_way_out(result) or f"incomplete: {named}", result
        )
    return Verdict("Succeeded", "Succeeded", result.message or _praise(result), result)


def find_doubt(result: WorkResult) -> str | None:
    """What is not proved of the artifacts, or None: there must be some, each verified and read back."""
    if not result.artifacts:
        return "the worker claims success without a single artifact"
    for artifact in result.artifacts:
        if artifact.verification is None or not artifact.verification.read_back:
            return f"{artifact.file} was not verified and read back, although the worker claims success"
    return None


def _find_lack(result: WorkResult, order: WorkOrder | None) -> str | None:
    """What was ordered and is claimed without being there, or None."""
    if result.recovery_point is None:
        return "the worker claims success without a recovery point"
    if order is None or order.backup is None:
        return None
    for artifact in result.artifacts:
        proof = artifact.verification
        if order.backup.verification == "Full" and (proof is None or proof.level != "Full"):
            return f"{artifact.file} was verified less than was ordered, although the worker claims success"
    made = {artifact.source for artifact in result.artifacts}
    lacking = [source.name for source in order.backup.sources if source.name not in made]
    if result.outcome == "Succeeded" and lacking:
        return f"the worker claims success without an artifact of source {', '.join(lacking)}"
    return None


def _first_reason(result: WorkResult) -> str:
    if result.reason != "Succeeded":
        return _stable(result.reason)
    found = (copy.reason for copy in result.copies if copy.state != "Succeeded" and copy.reason)
    return _stable(next(found, Reason.StoreFailed.name))


def _with_way_out(result: WorkResult) -> str:
    """What the worker or the agent said, and what to do about it."""
    reason = reason_named(result.reason)
    if not result.message or reason is None or reason.hint in result.message:
        return result.message
    return f"{result.message.removesuffix('.')}. {reason.hint}"


def _praise(result: WorkResult) -> str:
    count = len(result.artifacts)
    return f"{count} artifact{'s' * (count != 1)} verified and read back from {len(result.copies)} store{'s' * (len(result.copies) != 1)}."


def _stable(reason: str) -> str:
    """A word that a condition's reason may hold."""
    return reason if re.fullmatch(r"[A-Z][A-Za-z0-9]{0,63}", reason) else Reason.InternalError.name
