"""What a run's result is worth: Succeeded only if all of it is proved."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from strongroom.api.errors import Reason, excerpt, reason_named
from strongroom.api.resources import describe
from strongroom.api.result import Copy, WorkResult
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
    result = read_result(job, run_uid)
    return _judge_result(result, job) if isinstance(result, WorkResult) else result


def read_result(job: JobState, run_uid: str) -> WorkResult | Verdict:
    """What the Job's worker has left; a failure where it is nothing, unreadable, or of another order."""
    if job.result is None:
        return judge_silence(job)
    try:
        result = WorkResult.model_validate_json(job.result)
    except ValidationError as error:
        fault = f"the result of Job {job.meta.name} cannot be read: {describe(error, 'result')}"
        return failed(Reason.InvalidOrder, fault)
    if result.run_uid != run_uid:
        fault = f"the result in Job {job.meta.name} is of another run ({excerpt(result.run_uid, 64)}) and was refused"
        return failed(Reason.InternalError, fault)
    return result


def failed(reason: Reason, message: str) -> Verdict:
    """A failure of our own finding, with the way out."""
    return Verdict("Failed", reason.name, f"{message}. {reason.hint}")


def judge_silence(job: JobState) -> Verdict:
    ending = job.ending
    if job.lost is not None:
        reason = reason_named(job.lost.reason) or Reason.WorkerLost
        return failed(reason, f"Job {job.meta.name}: {job.lost.message}")
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
    held = _hold(result, job)
    if not held.good:
        return Verdict(
            "Failed", _first_reason(result), _with_way_out(result) or "no store holds a good copy", result
        )
    if _is_part(result, job.order):
        reason = Reason.FilesChanged.name if result.reason == "Succeeded" else _first_reason(result)
        told = _with_way_out(result) or "incomplete: part of the sources"
        return Verdict("Partial", reason, " ".join(filter(None, [told, held.words()])), result)
    if len(held.good) < held.needed:
        return Verdict("Partial", _first_reason(result), _too_few(held, result), result)
    return Verdict("Succeeded", "Succeeded", f"{_praise(result, held)} {held.words()}".strip(), result)


@dataclass(frozen=True)
class _Holding:
    """The ordered stores that hold a good copy, those that lack one and why, and how many must hold one."""

    good: tuple[str, ...]
    lacking: tuple[Copy, ...]
    needed: int

    def words(self) -> str:
        """Which store lacks a copy and why; nothing if none does."""
        if not self.lacking:
            return ""
        named = "; ".join(describe_lack(copy.store, copy.reason, copy.message) for copy in self.lacking)
        return (
            f"Lacking: {named}. What lacks is copied later from {self.good[0]}, without reading the source."
        )


def describe_lack(store: str, reason: str | None, message: str | None) -> str:
    """A store that lacks a copy, and why, in one phrase."""
    said = (message or "").removeprefix(f"store {store}: ").rstrip(". ")
    return f"{store} ({': '.join(filter(None, [reason or 'Behind', excerpt(said, 200)]))})"


def _hold(result: WorkResult, job: JobState) -> _Holding:
    """By the order, where it can be read: a result of other stores makes no success."""
    told = {copy.store: copy for copy in result.copies}
    ordered = [store.name for store in job.stores] or list(told)
    good = tuple(name for name in ordered if name in told and told[name].state == "Succeeded")
    absent = Reason.WorkerLost.name
    lacking = tuple(
        told.get(name) or Copy(store=name, state="Failed", reason=absent, message="the result does not tell")
        for name in ordered
        if name not in good
    )
    asked = job.order.backup.min_copies if job.order is not None and job.order.backup is not None else None
    return _Holding(good, lacking, min(asked or len(ordered), len(ordered)))


def _is_part(result: WorkResult, order: WorkOrder | None) -> bool:
    """Whether what was made is not all of it, wherever it is: files changed, or a source is missing."""
    if result.contents is None:
        return result.outcome == "Partial"
    return result.contents == "Changed" or bool(_sources_without_artifact(result, order))


def _too_few(held: _Holding, result: WorkResult) -> str:
    reason = reason_named(_first_reason(result))
    hint = f" {reason.hint}" if reason is not None else ""
    return f"{len(held.good)} of the {held.needed} stores that must hold a copy do. {held.words()}{hint}"


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
    lacking = _sources_without_artifact(result, order)
    if result.outcome == "Succeeded" and lacking:
        return f"the worker claims success without an artifact of source {', '.join(lacking)}"
    return None


def _sources_without_artifact(result: WorkResult, order: WorkOrder | None) -> list[str]:
    if order is None or order.backup is None:
        return []
    made = {artifact.source for artifact in result.artifacts}
    return [source.name for source in order.backup.sources if source.name not in made]


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


def _praise(result: WorkResult, held: _Holding) -> str:
    """What the worker said of a whole success; of one that lacks copies it speaks of those, and so do we."""
    if result.message and not held.lacking:
        return result.message
    count, stores = len(result.artifacts), len(held.good)
    return f"{count} artifact{'s' * (count != 1)} verified and read back from {stores} store{'s' * (stores != 1)}."


def _stable(reason: str) -> str:
    """A word that a condition's reason may hold."""
    return reason if re.fullmatch(r"[A-Z][A-Za-z0-9]{0,63}", reason) else Reason.InternalError.name
