"""What the agent must know after it was killed: one plan for each Job, one record for each attempt, one outcome."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from strongroom.agent.jobstatuses import JobReason
from strongroom.agent.processes import ProcessIdentity
from strongroom.api.errors import Reason
from strongroom.api.fields import Fields, Time
from strongroom.api.result import WorkResult


class Plan(Fields):
    """What was claimed, as it was then: the limits of a Job do not move while it runs."""

    namespace: str = Field(description="Namespace of the Job.")
    name: str = Field(description="Name of the Job.")
    uid: str = Field(description="uid of the Job.")
    run_uid: str = Field(description="What the result must name.")
    claimant: str = Field(description="The name that the Job was claimed under.")
    started_at: Time = Field(description="status.startTime of the Job: the deadline counts from it.")
    deadline_seconds: int | None = Field(
        default=None, description="spec.activeDeadlineSeconds of the Job, else its order's."
    )
    backoff_limit: Annotated[int, Field(ge=0)] = Field(description="Attempts that may fail before the last.")
    image: str = Field(
        default="", description="Image of the pod template's worker, for a worker in a container."
    )

    def seconds_left(self, now: datetime) -> float | None:
        """Until the deadline, never more than the deadline itself (the clock may have been set back); None: no deadline."""
        if self.deadline_seconds is None:
            return None
        return min(
            float(self.deadline_seconds), self.deadline_seconds - (now - self.started_at).total_seconds()
        )


class Attempt(Fields):
    """One worker. Written before it is started, when it is known which process or container it is, and when it has ended."""

    number: Annotated[int, Field(ge=1)] = Field(description="1 for the first.")
    started_at: Time = Field(description="When it was about to start.")
    isolation: Literal["process", "container"] = Field(default="process", description="How the worker runs.")
    container: str | None = Field(default=None, description="Id of the worker's container, once it is made.")
    process: ProcessIdentity | None = Field(
        default=None, description="The worker, or its container's main process, once it runs."
    )
    rolls_back: bool = Field(
        default=False, description="Whether it only puts back what a restore has done that is given up."
    )
    ended_at: Time | None = Field(default=None, description="When it was found to have ended.")
    result: WorkResult | None = Field(
        default=None, description="Set when it has ended: the worker's result, or ours in its place."
    )


class Hold(Fields):
    """Services that one Job alone may stop or pause at present."""

    services: list[str] = Field(description="project/service, or a container's name; * for all.")


class Outcome(Fields):
    """The end of a Job: decided once, then delivered however long that takes."""

    result: WorkResult = Field(description="What goes into the result annotation.")
    job_reason: str = Field(description="A name of JobReason.")
    failed: Annotated[int, Field(ge=0)] = Field(description="Attempts that failed.")

    @property
    def reason(self) -> JobReason:
        """Why the Job ended."""
        return JobReason[self.job_reason]


def build_failure(
    run_uid: str, reason: Reason, message: str, *, started_at: datetime, now: datetime
) -> WorkResult:
    """The result of a worker that left none, or was never started."""
    return WorkResult(
        run_uid=run_uid,
        outcome="Failed",
        reason=reason.name,
        message=message[:1024],
        retryable=reason.retryable,
        started_at=min(started_at, now),
        finished_at=now,
    )
