"""Jobs as the operator sees them: what was ordered, how far it is, how it ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from strongroom.api.labels import (
    CLAIM_ANNOTATION,
    HOST_LABEL,
    HOST_NAMESPACE_LABEL,
    LOST_ANNOTATION,
    NOTE_ANNOTATION,
    PROGRESS_ANNOTATION,
    REQUEST_LABEL,
    RESTORE_FINALIZER,
    RESULT_ANNOTATION,
    RUN_LABEL,
    START_DEADLINE_ANNOTATION,
    STOPPED_ANNOTATION,
    STORE_LABEL,
    TROUBLE_ANNOTATION,
    WORK_ORDER_ANNOTATION,
)
from strongroom.api.resources import ObjectMeta
from strongroom.api.result import Progress
from strongroom.api.workorder import CatchUpOrder, OrderStore, WorkOrder
from strongroom.domain.jobbodies import is_left_to_agent
from strongroom.domain.policies import LONGEST_DEADLINE
from strongroom.domain.sites import CLUSTER
from strongroom.domain.stoppedservices import StoppedServices, parse_stopped
from strongroom.domain.targets import Work


@dataclass(frozen=True, slots=True)
class Ending:
    """How a Job ended, in the words of its condition."""

    succeeded: bool
    reason: str
    message: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Word:
    """What the operator has noted on a Job of the cluster."""

    reason: str
    message: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobState:
    """One Job of ours. What it was told stands in its order: the policy and the stores may have changed since."""

    meta: ObjectMeta
    run: str | None
    store: str | None
    request: str | None
    host: tuple[str, str] | None
    """Namespace and name of the DockerHost that it is addressed to."""
    is_left_to_agent: bool
    order: WorkOrder | None
    deadline: timedelta
    started: datetime | None
    attempts: int
    ending: Ending | None
    progress: Progress | None
    result: str | None
    """The worker's result as written: judged where it is used."""
    own_ending: Ending | None = None
    """What the Job's own status says. Of a Job of the cluster, `ending` waits until what its pods have left was brought to it."""
    lost: Word | None = None
    """Why the cluster's pod left no result."""
    trouble: Word | None = None
    """Why the cluster's pod does not start."""
    start_deadline: str | None = None
    """How long it may take to start."""
    stopped: StoppedServices | None = None
    """What of the cluster is scaled to 0 for it."""
    note: str | None = None
    """What its worker wants the next one to know."""

    @property
    def is_clusters(self) -> bool:
        """Whether the cluster itself runs it."""
        return self.host is None

    @property
    def is_held(self) -> bool:
        """Whether it does not go before we let it."""
        return RESTORE_FINALIZER in self.meta.finalizers

    @property
    def kind(self) -> str | None:
        """What was ordered; None if the order cannot be read."""
        return self.order.kind if self.order is not None else None

    @property
    def work(self) -> Work | None:
        """What it reads, overwrites and stops."""
        return None if self.order is None else find_work(self.order)

    @property
    def whom(self) -> str | None:
        """For whom it works, in words: the run or request that others wait for."""
        if self.request is not None:
            return f"RestoreRequest {self.request}"
        return None if self.run is None else f"run {self.run}"

    @property
    def drilled(self) -> str | None:
        """The policy whose backup it drills, if it was made by the policy itself and not for a request."""
        drill = self.order.drill if self.order is not None else None
        return None if drill is None or self.request is not None else drill.choice.policy

    @property
    def catch_up(self) -> CatchUpOrder | None:
        """What it copies from one store to others, if that is its work."""
        return self.order.catch_up if self.order is not None else None

    @property
    def seen_from(self) -> str:
        """Where it runs, as one word."""
        return "/".join(self.host or (self.meta.namespace, CLUSTER))

    @property
    def stores(self) -> tuple[OrderStore, ...]:
        """The stores that it works with, as they were specified when it was made."""
        return tuple(self.order.stores) if self.order is not None else ()

    @property
    def created(self) -> datetime:
        """When the Job was made."""
        if self.meta.creation_timestamp is None:
            raise ValueError(f"Job {self.meta.name} was not read from an API server")
        return self.meta.creation_timestamp


def find_work(order: WorkOrder) -> Work | None:
    """What an order touches; None for one that leaves sources alone."""
    backup, restore, drop = order.backup, order.restore, order.drop
    if backup is not None:
        return Work(order.namespace, backup.policy, backup.sources, backup.hooks)
    if restore is not None and order.kind == "Restore":
        sources = [] if restore.mode == "Directory" else restore.targets
        stopped = tuple(map(str, restore.workloads))
        return Work(
            order.namespace, restore.choice.policy, sources, restore.hooks, writes=True, workloads=stopped
        )
    if drop is not None:
        return Work(order.namespace, drop.policy, drop.targets, writes=True)
    return None


def parse_job(body: Mapping[str, Any]) -> JobState:
    """A Job as the API gives it. An order or a progress that cannot be read counts as none."""
    meta = ObjectMeta.model_validate(body["metadata"])
    spec, status = body.get("spec") or {}, body.get("status") or {}
    host = meta.labels.get(HOST_LABEL)
    host_key = (meta.labels.get(HOST_NAMESPACE_LABEL, meta.namespace), host) if host else None
    order = _parse_order(spec)
    counts = (int(status.get(key) or 0) for key in ("active", "failed", "succeeded"))
    ending, result = _parse_ending(status), meta.annotations.get(RESULT_ANNOTATION)
    lost = _parse_word(meta.annotations.get(LOST_ANNOTATION))
    is_told = host_key is not None or result is not None or lost is not None
    return JobState(
        meta=meta.model_copy(update={"annotations": {}}),
        run=meta.labels.get(RUN_LABEL),
        store=meta.labels.get(STORE_LABEL),
        request=meta.labels.get(REQUEST_LABEL),
        host=host_key,
        is_left_to_agent=is_left_to_agent(spec),
        order=order,
        # Bringing it what its pods left is our own work: that we were away for long must not make it overdue.
        deadline=_deadline(spec, order) if is_told or ending is None else LONGEST_DEADLINE,
        started=_started(spec, status, meta.annotations),
        attempts=sum(counts),
        ending=ending if is_told else None,
        progress=_parse_progress(meta.annotations.get(PROGRESS_ANNOTATION)),
        result=result,
        own_ending=ending,
        lost=lost,
        trouble=_parse_word(meta.annotations.get(TROUBLE_ANNOTATION)),
        start_deadline=meta.annotations.get(START_DEADLINE_ANNOTATION),
        stopped=parse_stopped(meta.annotations.get(STOPPED_ANNOTATION)),
        note=meta.annotations.get(NOTE_ANNOTATION),
    )


def _started(spec: Mapping[str, Any], status: Mapping[str, Any], notes: Mapping[str, str]) -> datetime | None:
    """A cluster that dropped `managedBy` gives a host's Job its start time at once; it has begun when an agent has it."""
    is_ours = spec.get("managedBy") is not None or not is_left_to_agent(spec)
    return _time(status.get("startTime")) if is_ours or CLAIM_ANNOTATION in notes else None


def _deadline(spec: Mapping[str, Any], order: WorkOrder | None) -> timedelta:
    """Bounded, because anybody may make a Job with our label: one must not lie beyond the calendar."""
    ordered = order.deadline_seconds if order is not None else 0
    seconds = int(ordered or spec.get("activeDeadlineSeconds") or 0)  # the Job's own is cut to give one up
    return timedelta(seconds=min(seconds, LONGEST_DEADLINE.total_seconds()))


def _parse_order(spec: Mapping[str, Any]) -> WorkOrder | None:
    annotations = ((spec.get("template") or {}).get("metadata") or {}).get("annotations") or {}
    try:
        return WorkOrder.model_validate_json(annotations.get(WORK_ORDER_ANNOTATION) or "")
    except ValidationError:
        return None


def _parse_progress(text: str | None) -> Progress | None:
    try:
        return Progress.model_validate_json(text) if text else None
    except ValidationError:
        return None


def _parse_word(text: str | None) -> Word | None:
    try:
        said = json.loads(text) if text else None
        if not isinstance(said, dict):
            return None
        return Word(str(said.get("reason")), str(said.get("message")), _time(said.get("since")))
    except ValueError:
        return None


def _parse_ending(status: Mapping[str, Any]) -> Ending | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True":
            return Ending(
                succeeded=condition["type"] == "Complete",
                reason=str(condition.get("reason") or ""),
                message=str(condition.get("message") or ""),
                time=_time(condition.get("lastTransitionTime")),
            )
    return None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
