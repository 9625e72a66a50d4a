"""Which Job: a batch/v1 Job for a run, for copies that it lacks, or for a look at a store, that an agent runs on its host or a cluster in a pod.

The work order stands in an annotation of the pod template; a cluster projects it into a file. Secrets are named only.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference, parse_duration
from strongroom.api.group import API_VERSION
from strongroom.api.labels import (
    AGENT_MANAGER,
    HOST_LABEL,
    HOST_NAMESPACE_LABEL,
    MANAGED_BY_LABEL,
    MANAGER,
    POLICY_LABEL,
    REQUEST_LABEL,
    RUN_LABEL,
    STORE_LABEL,
    WORK_ORDER_ANNOTATION,
)
from strongroom.api.resources import (
    BackupPolicy,
    BackupRun,
    BackupStore,
    DockerHost,
    ObjectMeta,
    RestoreRequest,
)
from strongroom.api.workorder import BackupOrder, CatalogueOrder, CatchUpOrder, OrderStore, WorkOrder
from strongroom.domain.adoption import readable_uids
from strongroom.domain.names import (
    catch_up_job_name,
    check_job_name,
    job_name,
    restore_job_name,
    sync_job_name,
)
from strongroom.domain.safety import safety_spec

Body = dict[str, Any]
CHECK_DEADLINE = timedelta(minutes=5)
SYNC_DEADLINE = timedelta(hours=1)
CATCH_UP_RETRIES = 1
"""Of one attempt: the pauses between attempts are the operator's."""
MOUNT = "/strongroom"
LONGEST_ORDER_BYTES = 200_000
"""Annotations of an object may take 256 KiB together."""


@dataclass(frozen=True)
class CataloguePart:
    """Which part of a catalogue is asked for, in the walk that began at that moment."""

    began: datetime
    after: str | None


@dataclass(frozen=True)
class _Plan:
    """What differs between Jobs."""

    name: str
    namespace: str
    owner: Body
    labels: dict[str, str]
    order: WorkOrder
    backoff_limit: int


def build_job(
    run: BackupRun,
    policy: BackupPolicy,
    stores: Sequence[BackupStore],
    host: DockerHost | None,
    held_runs: Iterable[str],
    image: str,
) -> Body:
    """The Job of a run. `stores` are the policy's, in its order; `held_runs` are never pruned.

    Raises InvalidSpec when the order would not fit into an object.
    """
    labels = {POLICY_LABEL: policy.meta.name, RUN_LABEL: _label_value(run.meta.name)}
    plan = _Plan(
        name=job_name(run.meta.name, run.meta.uid),
        namespace=run.meta.namespace,
        owner=_owner("BackupRun", run.meta),
        labels=labels | _host_labels(host),
        order=_backup_order(run, policy, stores, held_runs),
        backoff_limit=policy.spec.backoff_limit,
    )
    return _build(plan, image)


def build_catch_up_job(
    run: BackupRun, policy: BackupPolicy, stores: Sequence[BackupStore], host: DockerHost, image: str
) -> Body:
    """The Job of the next attempt to copy a run's recovery point to those of the stores that lack it. It reads no source."""
    status = run.status
    if status.recovery_point is None:
        raise ValueError(f"BackupRun {run.meta.name} made no recovery point")
    order = WorkOrder(
        kind="CatchUp",
        namespace=run.meta.namespace,
        run_uid=run.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec) for store in stores],
        catch_up=CatchUpOrder(
            policy=policy.meta.name,
            policy_uid=status.policy_uid or policy.meta.uid,
            recovery_point=status.recovery_point,
            manifest_sha256=status.manifest_sha256,
            encryption=policy.spec.encryption,
            signing=policy.spec.signing,
        ),
        deadline_seconds=int(parse_duration(policy.spec.deadline).total_seconds()),
    )
    attempts = status.catch_up.attempts if status.catch_up is not None else 0
    plan = _Plan(
        name=catch_up_job_name(run.meta.name, run.meta.uid, attempts + 1),
        namespace=run.meta.namespace,
        owner=_owner("BackupRun", run.meta),
        labels={POLICY_LABEL: policy.meta.name, RUN_LABEL: _label_value(run.meta.name)} | _host_labels(host),
        order=order,
        backoff_limit=CATCH_UP_RETRIES,
    )
    return _build(plan, image)


def build_store_check_job(store: BackupStore, host: DockerHost, moment: datetime, image: str) -> Body:
    """The Job that looks at a store from a host: list, write, read back and delete a probe."""
    order = WorkOrder(
        kind="CheckStore",
        namespace=store.meta.namespace,
        run_uid=store.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec)],
        deadline_seconds=int(CHECK_DEADLINE.total_seconds()),
    )
    where = f"{host.meta.namespace}/{host.meta.name}"
    plan = _Plan(
        name=check_job_name(store.meta.name, store.meta.uid, where, moment),
        namespace=store.meta.namespace,
        owner=_owner("BackupStore", store.meta),
        labels={STORE_LABEL: store.meta.name} | _host_labels(host),
        order=order,
        backoff_limit=0,
    )
    return _build(plan, image)


def build_request_job(
    request: RestoreRequest, order: WorkOrder, purpose: str, host: DockerHost | None, image: str
) -> Body:
    """The Job that plans a restore, carries it out, or drops what it replaced. Raises as `build_job` does."""
    plan = _Plan(
        name=restore_job_name(request.meta.name, request.meta.uid, purpose),
        namespace=request.meta.namespace,
        owner=_owner("RestoreRequest", request.meta),
        labels={REQUEST_LABEL: _label_value(request.meta.name)} | _host_labels(host),
        order=order,
        backoff_limit=request.spec.backoff_limit,
    )
    return _build(plan, image)


def build_drill_job(policy: BackupPolicy, order: WorkOrder, name: str, host: DockerHost, image: str) -> Body:
    """The Job of a drill. It is not tried again by itself: a backup that does not restore does not restore twice."""
    plan = _Plan(
        name=name,
        namespace=policy.meta.namespace,
        owner=_owner("BackupPolicy", policy.meta),
        labels={POLICY_LABEL: policy.meta.name} | _host_labels(host),
        order=order,
        backoff_limit=0,
    )
    return _build(plan, image)


def build_catalogue_job(
    store: BackupStore, host: DockerHost, part: CataloguePart, keys: Sequence[SecretKeyReference], image: str
) -> Body:
    """The Job that tells what a store holds of its namespace, or a part of it. `keys` are those whose signatures count."""
    order = WorkOrder(
        kind="Catalogue",
        namespace=store.meta.namespace,
        run_uid=store.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec)],
        catalogue=CatalogueOrder(after=part.after, trusted_keys=list(keys)),
        deadline_seconds=int(SYNC_DEADLINE.total_seconds()),
    )
    where = f"{host.meta.namespace}/{host.meta.name}"
    plan = _Plan(
        name=sync_job_name(store.meta.name, store.meta.uid, where, part.began, part.after),
        namespace=store.meta.namespace,
        owner=_owner("BackupStore", store.meta),
        labels={STORE_LABEL: store.meta.name} | _host_labels(host),
        order=order,
        backoff_limit=0,
    )
    return _build(plan, image)


def _backup_order(
    run: BackupRun, policy: BackupPolicy, stores: Sequence[BackupStore], held_runs: Iterable[str]
) -> WorkOrder:
    slot = run.spec.slot or run.meta.creation_timestamp
    if slot is None:
        raise ValueError(f"BackupRun {run.meta.name} was not read from an API server")
    is_safety = run.spec.reason == "Safety"
    spec = safety_spec(policy.spec, run.spec.sources) if is_safety else policy.spec
    backup = BackupOrder(
        policy=policy.meta.name,
        policy_uid=policy.meta.uid,
        adopted_uids=readable_uids(policy.meta),
        run=run.meta.name,
        reason=run.spec.reason,
        slot=slot,
        sources=spec.sources,
        hooks=spec.hooks,
        compression=spec.compression,
        encryption=spec.encryption,
        signing=spec.signing,
        verification=spec.verification,
        min_copies=spec.min_copies,
        min_size_percent=spec.min_size_percent,
        retention=spec.retention,
        time_zone=spec.time_zone,
        held_runs=sorted({*held_runs, *([run.meta.name] if run.spec.hold else [])}),
    )
    return WorkOrder(
        kind="Backup",
        namespace=run.meta.namespace,
        run_uid=run.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec) for store in stores],
        backup=backup,
        deadline_seconds=int(parse_duration(spec.deadline).total_seconds()),
    )


def _build(plan: _Plan, image: str) -> Body:
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
        spec["managedBy"] = AGENT_MANAGER
    meta = {
        "name": plan.name,
        "namespace": plan.namespace,
        "labels": labels,
        "ownerReferences": [plan.owner],
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


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


def _owner(kind: str, meta: ObjectMeta) -> Body:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        # True would need a right on the owner's finalizers where clusters enforce it.
        "blockOwnerDeletion": False,
    }


def _host_labels(host: DockerHost | None) -> dict[str, str]:
    if host is None:
        return {}
    return {HOST_LABEL: host.meta.name, HOST_NAMESPACE_LABEL: host.meta.namespace}


def _label_value(name: str) -> str:
    """A label holds 63 characters; longer names of runs are found by their owner reference."""
    return name[:63].rstrip("-._")
