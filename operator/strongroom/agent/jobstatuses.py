"""The status of a Job, as Kubernetes' own Job controller writes it: merge patches for the status subresource.

What a real API server demands of a managedBy Job: ValidateJobStatusUpdate in k8s.io/kubernetes/pkg/apis/batch/validation
(a finished Job has a start time and no active pod; FailureTarget before or with Failed; SuccessCriteriaMet before or with
Complete, which alone has a completion time; counters never fall).
"""

from datetime import datetime
from enum import Enum
from typing import Any

from strongroom.api.fields import format_time

MESSAGE_LENGTH = 1024


class JobReason(Enum):
    """Why a Job ended, in the Job controller's words."""

    CompletionsReached = "Reached expected number of succeeded pods"
    BackoffLimitExceeded = "Job has reached the specified backoff limit"
    DeadlineExceeded = "Job was active longer than specified deadline"
    PodFailurePolicy = "Failed, and trying again cannot help"


def build_running(*, start_time: datetime, active: int, failed: int) -> dict[str, Any]:
    """The status of a Job that is under way; between two attempts nothing is active."""
    return {"startTime": format_time(start_time), "active": active, "ready": active, "failed": failed}


def build_finished(
    *, start_time: datetime, now: datetime, reason: JobReason, message: str, failed: int
) -> dict[str, Any]:
    """The status of a Job that is over. `message` stands behind the reason's own words."""
    succeeded = reason is JobReason.CompletionsReached
    text = reason.value if succeeded or not message else f"{reason.value}: {message}"
    # A clock that was set back must not end a Job before its start.
    moment = max(now, start_time)
    kinds = ("SuccessCriteriaMet", "Complete") if succeeded else ("FailureTarget", "Failed")
    status: dict[str, Any] = {
        "startTime": format_time(start_time),
        "active": 0,
        "ready": 0,
        "failed": failed,
        "conditions": [_condition(kind, reason.name, text[:MESSAGE_LENGTH], moment) for kind in kinds],
    }
    if succeeded:
        status |= {"succeeded": 1, "completionTime": format_time(moment)}
    return status


def _condition(kind: str, reason: str, message: str, moment: datetime) -> dict[str, str]:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastProbeTime": format_time(moment),
        "lastTransitionTime": format_time(moment),
    }
