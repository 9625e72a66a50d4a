"""What is reconciled: one object, by kind, namespace and name."""

from typing import NamedTuple

from strongroom.kube import kinds
from strongroom.kube.client import Object
from strongroom.kube.kinds import ApiKind

WATCHED: tuple[ApiKind, ...] = (
    kinds.POLICIES,
    kinds.RUNS,
    kinds.STORES,
    kinds.HOSTS,
    kinds.RESTORES,
    kinds.JOBS,
)
"""Kinds whose changes lead to reconciles."""
OWN = frozenset({kinds.JOBS, kinds.PODS})
"""Of these only objects with our label are seen."""


def watched(*, runs_pods: bool) -> tuple[ApiKind, ...]:
    """The kinds that are watched on this API server."""
    return (*WATCHED, kinds.PODS) if runs_pods else WATCHED


class Key(NamedTuple):
    """One object that is reconciled."""

    kind: ApiKind
    namespace: str
    name: str

    def __str__(self) -> str:
        """For logs: `BackupPolicy default/orders`."""
        return f"{self.kind.kind} {self.namespace}/{self.name}"


def key_of(kind: ApiKind, body: Object) -> Key:
    """The key of an object as the API gives it."""
    meta = body["metadata"]
    return Key(kind, meta.get("namespace") or "", meta["name"])
