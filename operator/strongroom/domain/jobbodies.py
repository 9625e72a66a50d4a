"""The body of a batch/v1 Job that carries out a work order: on a host by its agent, or in a cluster by a pod.

The order stands in an annotation of the pod template; a cluster projects it into a file. Secrets are named only.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.api.group import API_VERSION
from strongroom.api.labels import (
    AGENT_MANAGER,
    HOST_LABEL,
    HOST_NAMESPACE_LABEL,
    MANAGED_BY_LABEL,
    MANAGER,
    NO_NODE,
    WORK_ORDER_ANNOTATION,
)
from strongroom.api.resources import DockerHost, ObjectMeta
from strongroom.api.workorder import WorkOrder

Body = dict[str, Any]
MOUNT = "/strongroom"
LONGEST_ORDER_BYTES = 200_000
"""Annotations of an object may take 256 KiB together."""


@dataclass(frozen=True)
class JobPlan:
    """What differs between Jobs."""

    name: str
    namespace: str
    owner: Body
    labels: dict[str, str]
    order: WorkOrder
    backoff_limit: int


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
        "template": {
            "metadata": {"labels": labels, "annotations": {WORK_ORDER_ANNOTATION: text}},
            "spec": _pod(plan.order.secrets(), image),
        },
    }
    if HOST_LABEL in labels:
        _leave_to_agent(spec)
    meta = {
        "name": plan.name,
        "namespace": plan.namespace,
        "labels": labels,
        "ownerReferences": [plan.owner],
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


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


def _pod(secrets: Iterable[SecretKeyReference], image: str) -> Body:
    keys: dict[str, list[str]] = {}
    for reference in secrets:
        keys.setdefault(reference.name, []).append(reference.key)
    volumes: list[Body] = [
        {
            "name": "order",
            "downwardAPI": {
                "items": [
                    {
                        "path": "order.json",
                        "fieldRef": {"fieldPath": f"metadata.annotations['{WORK_ORDER_ANNOTATION}']"},
                    }
                ]
            },
        },
        {"name": "result", "emptyDir": {}},
        {"name": "scratch", "emptyDir": {}},
    ]
    mounts: list[Body] = [
        {"name": "order", "mountPath": f"{MOUNT}/order", "readOnly": True},
        {"name": "result", "mountPath": f"{MOUNT}/result"},
        {"name": "scratch", "mountPath": f"{MOUNT}/scratch"},
    ]
    for index, (name, wanted) in enumerate(sorted(keys.items())):
        items = [{"key": key, "path": key} for key in sorted(wanted)]
        secret = {"secretName": name, "defaultMode": 0o400, "items": items}
        volumes.append({"name": f"secret-{index}", "secret": secret})
        mounts.append({"name": f"secret-{index}", "mountPath": f"{MOUNT}/secrets/{name}", "readOnly": True})
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [_container(mounts, image)],
        "volumes": volumes,
    }


def _container(mounts: list[Body], image: str) -> Body:
    return {
        "name": "worker",
        "image": image,
        "args": [
            "worker",
            *("--order", f"{MOUNT}/order/order.json"),
            *("--secrets", f"{MOUNT}/secrets"),
            *("--result", f"{MOUNT}/result/result.json"),
            *("--scratch", f"{MOUNT}/scratch"),
        ],
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
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


def build_host_labels(host: DockerHost | None) -> dict[str, str]:
    """Whom a Job is addressed to; nothing for one that runs in the cluster."""
    if host is None:
        return {}
    return {HOST_LABEL: host.meta.name, HOST_NAMESPACE_LABEL: host.meta.namespace}


def label_value(name: str) -> str:
    """A label holds 63 characters; longer names of runs are found by their owner reference."""
    return name[:63].rstrip("-._")
