"""A Job as the agent sees it: the few fields that decide, parsed once from the API's object."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import ValidationError

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.labels import (
    CLAIM_ANNOTATION,
    HOST_LABEL,
    HOST_NAMESPACE_LABEL,
    WORK_ORDER_ANNOTATION,
)
from strongroom.api.workorder import WorkOrder
from strongroom.domain.jobbodies import is_left_to_agent

DEFAULT_BACKOFF_LIMIT = 6
"""Kubernetes' own default."""
UID = re.compile(r"[A-Za-z0-9-]{1,64}")


class Standing(Enum):
    """What a Job is to this agent."""

    Free = "addressed to this host, and nobody runs it"
    Ours = "claimed by this agent, now or before its restart"
    Anothers = "claimed by another agent of this host"
    Over = "finished, or on its way out"
    NotForUs = "for another host, another manager, or suspended"


@dataclass(frozen=True)
class Job:
    """One Job."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: str
    host: str | None
    host_namespace: str | None
    is_left_to_agent: bool
    has_own_start: bool
    """Whether its start time is an agent's: a cluster that dropped `managedBy` writes one at once."""
    claimed_by: str | None
    suspended: bool
    leaving: bool
    """Whether it is being deleted."""
    finished: bool
    start_time: datetime | None
    failed: int
    backoff_limit: int
    deadline_seconds: int | None
    owner_uid: str | None
    order_text: str | None
    image: str
    """Of the pod template's worker; empty where there is none."""

    def __str__(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    def standing(self, host_namespace: str, host_name: str, identity: str) -> Standing:
        """What this Job is to the agent of that host with that identity."""
        addressed = (self.host_namespace, self.host) == (host_namespace, host_name)
        if not (addressed and self.is_left_to_agent):
            return Standing.NotForUs
        if self.finished or self.leaving:
            return Standing.Over
        if self.claimed_by is not None:
            return Standing.Ours if self.claimed_by == identity else Standing.Anothers
        return Standing.NotForUs if self.suspended else Standing.Free

    def overdue_seconds(self, now: datetime) -> float:
        """How long its deadline has passed; negative while it has not, or while there is none."""
        if self.start_time is None or self.deadline_seconds is None:
            return float("-inf")
        return (now - self.start_time).total_seconds() - self.deadline_seconds


def parse_job(body: dict[str, Any]) -> Job:
    """Read a batch/v1 Job. Raises ValueError when its uid is not fit to name a folder."""
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    pod = spec.get("template") or {}
    template = pod.get("metadata") or {}
    if not UID.fullmatch(meta["uid"]):
        raise ValueError(f"Job {meta.get('namespace')}/{meta.get('name')} has the uid {meta['uid']!r}")
    started = status.get("startTime")
    order_text = (template.get("annotations") or {}).get(WORK_ORDER_ANNOTATION)
    return Job(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        created=meta.get("creationTimestamp") or "",
        host=labels.get(HOST_LABEL),
        host_namespace=labels.get(HOST_NAMESPACE_LABEL),
        is_left_to_agent=is_left_to_agent(spec),
        has_own_start=spec.get("managedBy") is not None,
        claimed_by=notes.get(CLAIM_ANNOTATION),
        suspended=bool(spec.get("suspend")),
        leaving="deletionTimestamp" in meta,
        finished=_is_finished(status),
        start_time=datetime.fromisoformat(started) if started else None,
        failed=int(status.get("failed") or 0),
        backoff_limit=int(spec.get("backoffLimit", DEFAULT_BACKOFF_LIMIT)),
        deadline_seconds=spec.get("activeDeadlineSeconds") or _ordered_deadline(order_text),
        owner_uid=next((o["uid"] for o in meta.get("ownerReferences") or [] if o.get("controller")), None),
        order_text=order_text,
        image=next((str(c.get("image")) for c in (pod.get("spec") or {}).get("containers") or []), ""),
    )


def _ordered_deadline(order_text: str | None) -> int | None:
    """A cluster's own controller would end a Job by the deadline of its spec, so that it stands in the order alone."""
    try:
        seconds = json.loads(order_text or "{}").get("deadlineSeconds")
    except (ValueError, AttributeError):
        return None
    return seconds if isinstance(seconds, int) and seconds > 0 else None


def parse_order(job: Job) -> WorkOrder:
    """The Job's work order. Raises StrongroomError(InvalidOrder)."""
    if job.order_text is None:
        raise StrongroomError(
            Reason.InvalidOrder, f"Job {job} has no annotation {WORK_ORDER_ANNOTATION} on its pod template"
        )
    try:
        order = WorkOrder.model_validate_json(job.order_text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StrongroomError(
            Reason.InvalidOrder, f"the work order of Job {job} is not valid: {place}: {excerpt(first['msg'])}"
        ) from error
    if order.namespace != job.namespace:
        # It is part of every key in the stores: a Job may speak for its own namespace only.
        raise StrongroomError(
            Reason.InvalidOrder, f"the work order of Job {job} is for the namespace {order.namespace}"
        )
    return order


def oldest_first(jobs: list[Job]) -> list[Job]:
    """In the order in which they are started."""
    return sorted(jobs, key=lambda job: (job.created, job.namespace, job.name))


def _is_finished(status: dict[str, Any]) -> bool:
    over = {"Complete", "Failed"}
    return any(c["type"] in over and c["status"] == "True" for c in status.get("conditions") or [])
