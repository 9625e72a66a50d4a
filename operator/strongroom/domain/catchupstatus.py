"""What an attempt to catch up copies has come to, and what a run's status says after it. The phase never changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from strongroom.api.backuprun import BackupRunStatus, CatchUp
from strongroom.api.errors import Reason, excerpt, reason_named
from strongroom.api.fields import format_time
from strongroom.api.resources import BackupRun, describe
from strongroom.api.result import Copy, WorkResult
from strongroom.domain.catchups import pause_after
from strongroom.domain.copies import merge_copies
from strongroom.domain.jobstates import JobState
from strongroom.domain.verdicts import describe_lack, judge_silence


@dataclass(frozen=True)
class CatchUpVerdict:
    """The run's status after an attempt, and how to tell it."""

    status: BackupRunStatus
    event: Literal["CaughtUp", "CatchUpFailed"]
    message: str


def judge_catch_up(run: BackupRun, job: JobState, now: datetime, overdue: str = "") -> CatchUpVerdict:
    """The verdict on a Job that will do no more. What it says of stores that it was not to deal with is passed over.

    `overdue` says in words why it was not waited for any longer.
    """
    ordered = {store.name for store in job.stores}
    before = {copy.store for copy in run.status.copies if copy.state == "Succeeded"}
    told = _read_result(job, run.meta.uid, overdue)
    news = [_dated(copy, run, told) for copy in told.copies if copy.store in ordered] if told.result else []
    copies = merge_copies(run.status.copies, news)
    caught = [copy.store for copy in copies if copy.state == "Succeeded" and copy.store not in before]
    lacking = [copy for copy in copies if copy.state != "Succeeded" and copy.store in ordered]
    attempts = 1 + (run.status.catch_up.attempts if run.status.catch_up is not None else 0)
    parts = [f"Copied to {', '.join(caught)} without reading the source." if caught else ""]
    if lacking:
        named = "; ".join(describe_lack(copy.store, copy.reason, copy.message) for copy in lacking)
        again = f"Attempt {attempts + 1} follows at {format_time(now + pause_after(attempts))}, or once the store works again."
        parts += [f"Still lacking: {named}.", told.trouble, again]
    message = " ".join(filter(None, parts)) or "Nothing was lacking any more."
    noted = CatchUp(attempts=attempts, last_time=now, message=message)
    status = run.status.model_copy(update={"copies": copies, "catch_up": noted})
    return CatchUpVerdict(status, "CatchUpFailed" if lacking else "CaughtUp", message)


@dataclass(frozen=True)
class _Told:
    """What the Job left: its result if it is one of this run, or what is wrong."""

    result: WorkResult | None
    trouble: str = ""

    @property
    def copies(self) -> list[Copy]:
        return self.result.copies if self.result is not None else []


def _read_result(job: JobState, run_uid: str, overdue: str) -> _Told:
    if job.result is None:
        return _Told(None, overdue or judge_silence(job).message)
    try:
        result = WorkResult.model_validate_json(job.result)
    except ValidationError as error:
        return _Told(None, f"the result of Job {job.meta.name} cannot be read: {describe(error, 'result')}.")
    if result.run_uid != run_uid:
        return _Told(None, f"the result in Job {job.meta.name} is of another run and was refused.")
    reason = reason_named(result.reason)
    if result.outcome != "Failed" or result.copies:
        return _Told(result, reason.hint if reason is not None else "")
    hint = f" {reason.hint}" if reason is not None else ""
    return _Told(result, f"{result.reason}: {excerpt(result.message).rstrip('.')}.{hint}")


def _dated(copy: Copy, run: BackupRun, told: _Told) -> Copy:
    """A copy that was made now was read back now; one that was good before keeps what is known of it."""
    if copy.state != "Succeeded" or told.result is None:
        return copy
    known = next((each for each in run.status.copies if each.store == copy.store), None)
    if known is not None and known.state == "Succeeded":
        fresh = {name: value for name, value in copy if value is not None}
        return known.model_copy(update=fresh)
    return copy.model_copy(update={"verified_time": copy.verified_time or told.result.finished_at})


def find_overdue(job: JobState, *, host_is_alive: bool) -> str:
    """What to say of a Job whose deadline has passed although nobody has ended it."""
    reason = Reason.DeadlineExceeded if host_is_alive else Reason.HostNotReady
    return f"Job {job.meta.name} did not end within its deadline. {reason.hint}"
