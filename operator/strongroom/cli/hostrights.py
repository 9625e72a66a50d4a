"""What the agent of one further host may do: its service account, its role and the binding, as objects (pure).

The same verbs as manifests/rbac/agent.yaml, narrowed to the host's own names, and the right to renew its own token. Creating
cannot be narrowed to a name (Kubernetes has none at that moment): a host may make DockerHosts and Leases that do not exist.
"""

from typing import Any

from strongroom.api.group import GROUP
from strongroom.api.hostaccounts import account_name
from strongroom.api.labels import HOST_LABEL, MANAGED_BY_LABEL, MANAGER, host_lease_name

Object = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"


def build_account(host: str) -> Object:
    """The service account."""
    return {"metadata": _metadata(host)}


def build_role(host: str, *, home: bool) -> Object:
    """The role in the host's own namespace (`home`), or in another whose Jobs it serves."""
    rules = _job_rules()
    if home:
        rules += _own_rules(host)
    return {"metadata": _metadata(host), "rules": rules}


def build_binding(host: str, namespace: str) -> Object:
    """The binding of that role; `namespace` is the account's."""
    name = account_name(host)
    return {
        "metadata": _metadata(host),
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
    }


def _metadata(host: str) -> Object:
    return {"name": account_name(host), "labels": {MANAGED_BY_LABEL: MANAGER, HOST_LABEL: host}}


def _job_rules() -> list[Object]:
    return [
        _rule("batch", "jobs", "get", "list", "watch", "patch"),
        _rule("batch", "jobs/status", "get", "patch"),
        _rule("", "secrets", "get"),
    ]


def _own_rules(host: str) -> list[Object]:
    lease, account = host_lease_name(host), account_name(host)
    return [
        _rule(GROUP, "dockerhosts", "create"),
        _rule(GROUP, "dockerhosts", "get", "patch", name=host),
        _rule(GROUP, "dockerhosts/status", "get", "patch", name=host),
        _rule("coordination.k8s.io", "leases", "create"),
        _rule("coordination.k8s.io", "leases", "get", "update", "patch", name=lease),
        _rule("", "serviceaccounts/token", "create", name=account),
    ]


def _rule(group: str, resource: str, *verbs: str, name: str = "") -> Object:
    rule: Object = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return {**rule, "resourceNames": [name]} if name else rule
