"""The pod of a worker in a cluster: no privileges, nothing writable but its own folders, secrets as files.

It fits the restricted profile of the pod security standards, unless the policy asks for root.
Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from strongroom.api.jobsettings import JobSettings
from strongroom.api.labels import ANSWER_ANNOTATION, WORK_ORDER_ANNOTATION
from strongroom.api.workorder import WorkOrder
from strongroom.domain.drillservers import PLACE, build_servers, build_users
from strongroom.domain.sites import Cluster

Body = dict[str, Any]
MOUNT = "/strongroom"
CLAIMS = f"{MOUNT}/claims"
USER = 10001
"""The image's own."""
SCRATCH_SIZE = "10Gi"
TERMINATION_LOG = "/dev/termination-log"
ANSWERS = "answer.json"
GRACE_SECONDS = 60
"""For a worker that is told to end: uploads are taken back, programs ended."""
ROLL_BACK_SECONDS = 600
"""For one that puts back the old, and asks the operator meanwhile."""
_READING = frozenset(["Catalogue", "PlanRestore", "Restore", "DropReplaced", "Drill"])
"""Kinds that write nothing to their stores."""
_RESTORING = frozenset(["Restore", "DropReplaced"])
"""Kinds that write to the claims of their sources."""
_TO_READ = ("DAC_OVERRIDE",)
_TO_RESTORE = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
_TO_RESTORE_ALL = (*_TO_RESTORE, "MKNOD", "SETFCAP")
"""Owners, modes and times; and devices and programs with capabilities, where the request allows them."""
_TO_DRILL = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
"""A server refuses to be root: it runs as somebody else, who is ended and whose files are removed."""


@dataclass
class _Volumes:
    """Volumes of the pod, and where its container has them."""

    volumes: list[Body] = field(default_factory=list)
    mounts: list[Body] = field(default_factory=list)

    def add(self, name: str, source: Body, path: str, *, writable: bool = False) -> None:
        self.volumes.append({"name": name, **source})
        self.mounts.append({"name": name, "mountPath": path, **({} if writable else {"readOnly": True})})


def build_pod(
    order: WorkOrder, settings: JobSettings, image: str, site: Cluster, *, rolls_back: bool = False
) -> Body:
    """The pod's specification; `image` where the settings name none. `rolls_back`: it restores nothing, and puts back the old."""
    volumes = _volumes(order, settings)
    container = _container(order, volumes.mounts, settings, site) | {"image": settings.image or image}
    container["args"] += ["--roll-back"] if rolls_back else []
    pod: Body = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": ROLL_BACK_SECONDS if order.kind == "Restore" else GRACE_SECONDS,
        "securityContext": _pod_security(order, settings),
        "containers": [container],
        "volumes": volumes.volumes,
    }
    _add_drill_servers(pod, order, settings)
    return pod | dict(_placement(settings, site.node))


def _add_drill_servers(pod: Body, order: WorkOrder, settings: JobSettings) -> None:
    """The drill's throw-away servers, beside the worker."""
    worker = pod["containers"][0]
    security = worker["securityContext"]
    servers = list(build_servers(order, settings, security))
    for server in servers:
        pod["containers"].append(server.container)
        pod["volumes"] += server.volumes
        worker["volumeMounts"].append(server.mount)
    if servers:
        worker["args"] += ["--drill-servers", PLACE]
        pod["volumes"] += [] if settings.run_as_root else [build_users()]


def _pod_security(order: WorkOrder, settings: JobSettings) -> Body:
    user = 0 if settings.run_as_root else USER
    group = settings.fs_group or USER
    security: Body = {
        "runAsNonRoot": not settings.run_as_root,
        "runAsUser": user,
        "runAsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if settings.run_as_root and order.kind in _RESTORING:
        return security  # the group of a volume that is written to would become that of all its files
    return security | {"fsGroup": group, "fsGroupChangePolicy": "OnRootMismatch"}


def _placement(settings: JobSettings, node: str | None) -> Iterator[tuple[str, Any]]:
    plain = {
        "nodeSelector": settings.node_selector,
        "tolerations": [each.to_api() for each in settings.tolerations],
        "imagePullSecrets": [each.to_api() for each in settings.image_pull_secrets],
        "priorityClassName": settings.priority_class_name,
        "serviceAccountName": settings.service_account_name,
    }
    yield from ((name, value) for name, value in plain.items() if value)
    affinity: Body = dict(settings.affinity or {})
    if node is not None and "nodeAffinity" not in affinity:
        # A volume that one node alone may mount is mounted where it is in use.
        fields = [{"key": "metadata.name", "operator": "In", "values": [node]}]
        near = {"weight": 100, "preference": {"matchFields": fields}}
        affinity["nodeAffinity"] = {"preferredDuringSchedulingIgnoredDuringExecution": [near]}
    if affinity:
        yield "affinity", affinity


def _volumes(order: WorkOrder, settings: JobSettings) -> _Volumes:
    volumes = _Volumes()
    path = f"metadata.annotations['{WORK_ORDER_ANNOTATION}']"
    item = {"path": "order.json", "fieldRef": {"fieldPath": path}}
    volumes.add("order", {"downwardAPI": {"items": [item]}}, f"{MOUNT}/order")
    volumes.add("result", {"emptyDir": {"sizeLimit": "16Mi"}}, f"{MOUNT}/result", writable=True)
    scratch = {"emptyDir": {"sizeLimit": settings.scratch_size or SCRATCH_SIZE}}
    volumes.add("scratch", scratch, f"{MOUNT}/scratch", writable=True)
    if order.kind == "Restore":
        answers = {"path": ANSWERS, "fieldRef": {"fieldPath": f"metadata.annotations['{ANSWER_ANNOTATION}']"}}
        volumes.add("answers", {"downwardAPI": {"items": [answers]}}, f"{MOUNT}/answers")
    for index, (name, keys) in enumerate(sorted(_secrets(order).items())):
        items = [{"key": key, "path": key} for key in sorted(keys)]
        # Optional: the worker says which Secret or key is missing, and what else is there is used.
        secret = {"secretName": name, "defaultMode": 0o440, "items": items, "optional": True}
        volumes.add(f"secret-{index}", {"secret": secret}, f"{MOUNT}/secrets/{name}")
    writes = order.kind in _RESTORING
    for index, claim in enumerate(source_claims(order)):
        mounted = {"claimName": claim, **({} if writes else {"readOnly": True})}
        source = {"persistentVolumeClaim": mounted}
        volumes.add(f"source-{index}", source, f"{CLAIMS}/{claim}", writable=writes)
    for index, store in enumerate(order.stores):
        local = store.spec.local
        if local is not None and local.persistent_volume_claim is not None:
            source = {"persistentVolumeClaim": {"claimName": local.persistent_volume_claim}}
            volumes.add(f"store-{index}", source, local.path, writable=order.kind not in _READING)
    return volumes


def _secrets(order: WorkOrder) -> dict[str, set[str]]:
    keys: dict[str, set[str]] = {}
    for reference in order.secrets():
        keys.setdefault(reference.name, set()).add(reference.key)
    return keys


def source_claims(order: WorkOrder) -> list[str]:
    """PersistentVolumeClaims that the order reads from, or restores into."""
    named = [each.files.persistent_volume_claim for each in order.touched_sources if each.files is not None]
    named += [order.restore.persistent_volume_claim] if order.restore is not None else []
    return sorted({name for name in named if name is not None})


def _capabilities(order: WorkOrder, settings: JobSettings) -> Body:
    """None, but for root what its work needs."""
    dropped: Body = {"drop": ["ALL"]}
    if not settings.run_as_root:
        return dropped
    special = order.restore is not None and order.restore.allow_special_files
    added = {
        "Restore": _TO_RESTORE_ALL if special else _TO_RESTORE,
        "DropReplaced": _TO_RESTORE,
        "Drill": _TO_DRILL,
    }
    return dropped | {"add": list(added.get(order.kind, _TO_READ))}


def _reach(order: WorkOrder, site: Cluster) -> list[str]:
    """Networks that a health check may fetch from."""
    checks = order.kind == "Restore" and order.restore is not None and order.restore.health_check is not None
    return [word for network in site.reach for word in ("--reach", network)] if checks else []


def _container(order: WorkOrder, mounts: list[Body], settings: JobSettings, site: Cluster) -> Body:
    container: Body = {
        "name": "worker",
        "args": [
            "worker",
            *("--order", f"{MOUNT}/order/order.json"),
            *("--secrets", f"{MOUNT}/secrets"),
            *("--result", f"{MOUNT}/result/result.json"),
            *("--scratch", f"{MOUNT}/scratch"),
            *("--claims", CLAIMS),
            *("--termination-message", TERMINATION_LOG),
            *_reach(order, site),
            *(("--answers", f"{MOUNT}/answers/{ANSWERS}") if order.kind == "Restore" else ()),
        ],
        "env": [{"name": name, "value": f"{MOUNT}/scratch"} for name in ("HOME", "TMPDIR")],
        "volumeMounts": mounts,
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": _capabilities(order, settings),
        },
    }
    if settings.image_pull_policy is not None:
        container["imagePullPolicy"] = settings.image_pull_policy
    if settings.resources is not None:
        container["resources"] = settings.resources.to_api()
    return container
