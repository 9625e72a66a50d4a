"""Kinds of a whole cluster that this host has not: served as empty lists, so that `kubectl apply --prune` and `get all` work."""

from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.resources import Resource

_RULES = BuiltinRules()
_READ = ("get", "list", "watch")
_ALL = ("all",)
_KINDS = (
    ("", "endpoints", "Endpoints", ("ep",), ()),
    ("", "persistentvolumeclaims", "PersistentVolumeClaim", ("pvc",), ()),
    ("", "pods", "Pod", ("po",), _ALL),
    ("", "replicationcontrollers", "ReplicationController", ("rc",), _ALL),
    ("", "services", "Service", ("svc",), _ALL),
    ("apps", "daemonsets", "DaemonSet", ("ds",), _ALL),
    ("apps", "deployments", "Deployment", ("deploy",), _ALL),
    ("apps", "replicasets", "ReplicaSet", ("rs",), _ALL),
    ("apps", "statefulsets", "StatefulSet", ("sts",), _ALL),
    ("batch", "cronjobs", "CronJob", ("cj",), _ALL),
    ("networking.k8s.io", "ingresses", "Ingress", ("ing",), ()),
)
_VOLUME = Resource(
    "",
    "v1",
    "persistentvolumes",
    "PersistentVolume",
    _RULES,
    namespaced=False,
    short_names=("pv",),
    verbs=_READ,
)
RESOURCES = (
    *(
        Resource(group, "v1", plural, kind, _RULES, short_names=short, categories=categories, verbs=_READ)
        for group, plural, kind, short, categories in _KINDS
    ),
    _VOLUME,
)
