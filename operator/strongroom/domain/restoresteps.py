"""What can be done next with a restore: one step at a time, as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from strongroom.api.restoring import RestoreOutcome, RestorePlan
from strongroom.domain.jobstates import JobState

Purpose = Literal["plan", "restore", "undo", "drop"]
"""What a request's Job is for. `undo`: to put back what a restore of the cluster has left whose workers ended without a word."""


@dataclass(frozen=True)
class Rest:
    """There is nothing to do, or not before `until`."""

    until: datetime | None = None


@dataclass(frozen=True)
class Wait:
    """It cannot go on yet; look again at `until`."""

    reason: str
    message: str
    until: datetime


@dataclass(frozen=True)
class MakeJob:
    """Make the Job of that purpose."""

    purpose: Purpose


@dataclass(frozen=True)
class FollowJob:
    """The Job is under way; if it says nothing more, look again at `until`."""

    purpose: Purpose
    job: JobState
    until: datetime


@dataclass(frozen=True)
class AwaitConfirmation:
    """There is a plan, and what it overwrites has not been confirmed."""

    plan: RestorePlan
    message: str


@dataclass(frozen=True)
class Proceed:
    """The plan is there, and nothing need be confirmed any more: secure the present state if need be, then restore."""

    plan: RestorePlan


@dataclass(frozen=True)
class MakeSafetyRun:
    """Make the run that backs up the present state."""

    sources: tuple[str, ...]


@dataclass(frozen=True)
class AwaitSafetyRun:
    """The run that backs up the present state is under way."""

    run: str


@dataclass(frozen=True)
class Finish:
    """The request ends."""

    succeeded: bool
    reason: str
    message: str
    outcome: RestoreOutcome | None = None


@dataclass(frozen=True)
class Dropped:
    """What was replaced is gone, as far as it was still there; or it could not be dropped, for the reason told, and stays."""

    trouble: str | None = None
    told: str = ""
    """What the worker says of it."""


Step = (
    Rest
    | Wait
    | MakeJob
    | FollowJob
    | AwaitConfirmation
    | Proceed
    | MakeSafetyRun
    | AwaitSafetyRun
    | Finish
    | Dropped
)
