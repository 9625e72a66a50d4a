"""The body of a batch/v1 Job that carries out a work order: on a host by its agent, or in a cluster by a pod.

The order stands in an annotation of the pod template; a cluster projects it into a file. Secrets are named only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.group import API_VERSION
from strongroom.api.jobsettings import JobSettings
from strongroom.api.labels import (
    AGENT_MANAGER,
    HOST_LABEL,
    HOST_NAMESPACE_LABEL,
    MANAGED_BY_LABEL,
    MANAGER,
    NO_NODE,
    NOTE_ANNOTATION,
    RESTORE_FINALIZER,
    START_DEADLINE_ANNOTATION,
    USERS_ANNOTATION,
    WORK_ORDER_ANNOTATION,
)
from strongroom.api.resources import ObjectMeta
from strongroom.api.workorder import WorkOrder
from strongroom.domain.drillservers import USERS
from strongroom.domain.podbodies import USER, build_pod
from strongroom.domain.sites import Cluster, Site

Body = dict[str, Any]
LONGEST_ORDER_BYTES = 200_000
"""Annotations of an object may take 256 KiB together."""
FORGOTTEN_SECONDS = 7 * 86_400
"""An ended Job that nobody removed goes by itself: long after an operator that was away for a weekend has read it."""


@dataclass(frozen=True)
class Undoing:
    """To put back what a restore has left, with what its last worker has noted."""

    note: str | None


@dataclass(frozen=True)
class JobPlan:
    """What differs between Jobs."""

    name: str
    namespace: str
    owner: Body
    labels: dict[str, str]
    order: WorkOrder
    backoff_limit: int
    site: Site
    settings: JobSettings | None = None
    """Of the pod in a cluster, over the cluster's defaults."""
    undoes: Undoing | None = None
    """Of a restore in a cluster whose workers have ended without a word."""


def build_body(plan: JobPlan, image: str) -> Body:
    """The Job. Raises InvalidSpec when the order would not fit into an object."""
    text = json.dumps(plan.order.to_api(), separators=(",", ":"), sort_keys=True)
    if len(text.encode()) > LONGEST_ORDER_BYTES:
        raise StrongroomError(
            Reason.InvalidSpec,
            f"the work order of {plan.name} takes {len(text.encode())} bytes and must fit {LONGEST_ORDER_BYTES}: "
            "name fewer patterns, or hold fewer runs",
        )
    labels = {MANAGED_BY_LABEL: MANAGER, **plan.labels}
    spec: Body = {
        "backoffLimit": plan.backoff_limit,
        "activeDeadlineSeconds": plan.order.deadline_seconds,
        "podFailurePolicy": {"rules": [_fatal_exit_codes()]},
    }
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    if isinstance(plan.site, Cluster):
        settings = (plan.settings or JobSettings()).over(plan.site.defaults)
        # What takes a pod away without its fault, such as an eviction, counts for no attempt.
        taken = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        spec["podFailurePolicy"]["rules"].append(taken)
        spec["ttlSecondsAfterFinished"] = FORGOTTEN_SECONDS
        if settings.start_deadline is not None:
            annotations[START_DEADLINE_ANNOTATION] = settings.start_deadline
        meta = {
            "labels": {**settings.pod_labels, **labels},
            "annotations": {
                **settings.pod_annotations,
                WORK_ORDER_ANNOTATION: text,
                **({USERS_ANNOTATION: USERS.format(user=USER)} if plan.order.kind == "Drill" else {}),
            },
        }
        spec["template"] = {
            "metadata": meta,
            "spec": build_pod(plan.order, settings, image, plan.site, rolls_back=plan.undoes is not None),
        }
        if plan.undoes is not None and plan.undoes.note is not None:
            annotations[NOTE_ANNOTATION] = plan.undoes.note
        if plan.order.kind == "Restore":
            finalizers.append(RESTORE_FINALIZER)
    else:
        labels |= {HOST_LABEL: plan.site.meta.name, HOST_NAMESPACE_LABEL: plan.site.meta.namespace}
        spec["template"] = {
            "metadata": {"labels": labels, "annotations": {WORK_ORDER_ANNOTATION: text}},
            "spec": _host_template(image),
        }
        _leave_to_agent(spec)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": plan.name,
            "namespace": plan.namespace,
            "labels": labels,
            **({"annotations": annotations} if annotations else {}),
            **({"finalizers": finalizers} if finalizers else {}),
            "ownerReferences": [plan.owner],
        },
        "spec": spec,
    }


def _leave_to_agent(spec: Body) -> None:
    """No pod in the cluster, and no deadline by its clock: before 1.32 `managedBy` is dropped, and the Job controller looks after the Job."""
    spec["managedBy"] = AGENT_MANAGER
    spec |= {"parallelism": 0, "completions": 1}
    spec["template"]["spec"]["nodeSelector"] = dict(NO_NODE)
    # It would count from the Job's making. The agent takes the order's, from its own start.
    del spec["activeDeadlineSeconds"]


def is_left_to_agent(spec: Mapping[str, Any]) -> bool:
    """Whether a host's agent runs the Job of this spec, and the cluster does not: it said so, or it can make no pod that starts."""
    manager = spec.get("managedBy")
    if manager is not None:
        return bool(manager == AGENT_MANAGER)
    selector = ((spec.get("template") or {}).get("spec") or {}).get("nodeSelector") or {}
    return NO_NODE.items() <= selector.items()


def _fatal_exit_codes() -> Body:
    codes = sorted(reason.exit_code for reason in Reason if not reason.retryable)
    return {
        "action": "FailJob",
        "onExitCodes": {"containerName": "worker", "operator": "In", "values": codes},
    }


def _host_template(image: str) -> Body:
    """What the API asks of a pod's template: the agent reads the order alone, and runs it in its own way."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [{"name": "worker", "image": image, "args": ["worker"]}],
    }


def build_owner(kind: str, meta: ObjectMeta) -> Body:
    """The reference to a Job's owner, of one of our kinds."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        # True would need a right on the owner's finalizers where clusters enforce it.
        "blockOwnerDeletion": False,
    }


def label_value(name: str) -> str:
    """A label holds 63 characters; longer names of runs are found by their owner reference."""
    return name[:63].rstrip("-._")
