"""Pods as the operator sees them: how far a Job of the cluster is, what it left, and why it does not start.

Sources: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ and the reasons in kubelet's and the scheduler's code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from strongroom.api.errors import Reason, excerpt
from strongroom.api.labels import ANSWER_ANNOTATION, POD_JOB_LABEL
from strongroom.api.resources import ObjectMeta
from strongroom.api.workloads import Answer
from strongroom.domain.jobstates import Ending, JobState

CONTAINER = "worker"
_HARMLESS = frozenset(["ContainerCreating", "PodInitializing", ""])
"""What a container waits for in the course of things."""


@dataclass(frozen=True, slots=True)
class Termination:
    """How the worker's container ended."""

    exit_code: int
    reason: str
    message: str
    """The termination message: the worker's result, or the end of its log."""


@dataclass(frozen=True, slots=True)
class PodState:
    """One pod of a Job of ours."""

    meta: ObjectMeta
    job: str | None
    phase: str
    reason: str
    """Why the pod itself failed: Evicted, DeadlineExceeded, NodeLost."""
    message: str
    node: str | None
    is_running: bool
    termination: Termination | None
    trouble: tuple[str, str] | None
    """Why the container does not start: reason and words."""
    answered: int = 0
    """Number of the last ask that was answered."""

    @property
    def has_ended(self) -> bool:
        """Whether it will do no more."""
        return self.termination is not None or self.phase in ("Succeeded", "Failed")

    @property
    def created(self) -> datetime:
        """When it was made."""
        if self.meta.creation_timestamp is None:
            raise ValueError(f"pod {self.meta.name} was not read from an API server")
        return self.meta.creation_timestamp


def parse_pod(body: Mapping[str, Any]) -> PodState:
    """A pod as the API gives it; of its containers the worker alone."""
    meta = ObjectMeta.model_validate(body["metadata"])
    status = body.get("status") or {}
    states = [each for each in status.get("containerStatuses") or [] if each.get("name") == CONTAINER]
    state = (states[0].get("state") or {}) if states else {}
    return PodState(
        meta=meta.model_copy(update={"annotations": {}}),
        job=meta.labels.get(POD_JOB_LABEL),
        phase=str(status.get("phase") or ""),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or ""),
        node=(body.get("spec") or {}).get("nodeName"),
        is_running="running" in state,
        termination=_parse_termination(state.get("terminated")),
        trouble=_find_trouble(status, state.get("waiting") or {}),
        answered=_parse_answered(meta.annotations.get(ANSWER_ANNOTATION)),
    )


def _parse_answered(text: str | None) -> int:
    try:
        return Answer.model_validate_json(text).number if text else 0
    except ValidationError:
        return 0


def _parse_termination(state: Mapping[str, Any] | None) -> Termination | None:
    if state is None:
        return None
    return Termination(
        int(state.get("exitCode") or 0), str(state.get("reason") or ""), str(state.get("message") or "")
    )


def _find_trouble(status: Mapping[str, Any], waiting: Mapping[str, Any]) -> tuple[str, str] | None:
    reason = str(waiting.get("reason") or "")
    if reason not in _HARMLESS:
        return reason, str(waiting.get("message") or "")
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("reason") or "Unschedulable"), str(condition.get("message") or "")
    return None


def newest(pods: Sequence[PodState]) -> PodState | None:
    """The pod of the last attempt."""
    return max(pods, key=lambda pod: (pod.created, pod.meta.name), default=None)


def judge_loss(job: JobState, ending: Ending, pod: PodState | None) -> tuple[Reason, str]:
    """Why a Job that has ended so has no result. Of a pod that has run its own end counts, whatever kept it waiting before."""
    has_run = pod is not None and pod.termination is not None
    if job.trouble is not None and not has_run:
        return Reason.PodNotStarted, job.trouble.message
    if ending.reason == Reason.DeadlineExceeded.name:
        return Reason.DeadlineExceeded, "it ran into its deadline"
    return Reason.WorkerLost, f"it ended without a result: {describe_loss(pod)}"


def describe_loss(pod: PodState | None) -> str:
    """Why there is no result, in words, with what the pod said."""
    if pod is None:
        return "there is no pod of it any more"
    ended = pod.termination
    if pod.reason:
        return f"pod {pod.meta.name}: {pod.reason}: {excerpt(pod.message)}"
    if ended is None:
        return f"pod {pod.meta.name} was never started"
    if ended.reason == "OOMKilled":
        return f"pod {pod.meta.name} ran out of memory (OOMKilled): raise spec.job.resources.limits.memory of the policy"
    said = f": {excerpt(ended.message)}" if ended.message else ""
    return f"pod {pod.meta.name}: {ended.reason or 'ended'} with exit code {ended.exit_code}{said}"
