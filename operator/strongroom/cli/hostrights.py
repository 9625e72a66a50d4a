"""What the agent of one further host may do: its service account, its role and the binding, as objects (pure).

What agent/rights.py declares, narrowed to the host's own names. Creating
cannot be narrowed to a name (Kubernetes has none at that moment): a host may make DockerHosts and Leases that do not exist.
"""

from dataclasses import replace
from typing import Any

from strongroom.agent import rights
from strongroom.api.hostaccounts import account_name
from strongroom.api.labels import HOST_LABEL, MANAGED_BY_LABEL, MANAGER, host_lease_name
from strongroom.kube.rights import Right, Rule, build_rules

Object = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"


def build_account(host: str) -> Object:
    """The service account."""
    return {"metadata": _metadata(host)}


def build_role(host: str, *, home: bool) -> Object:
    """The role in the host's own namespace (`home`), or in another whose Jobs it serves."""
    return {"metadata": _metadata(host), "rules": _rules(host, home=home)}


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


def _rules(host: str, *, home: bool) -> list[Rule]:
    if not home:
        return build_rules(rights.SERVED)
    lease, account = host_lease_name(host), account_name(host)
    return [
        *build_rules([*rights.SERVED, *(right for right in map(_creation, rights.HOME) if right)]),
        *(
            {**rule, "resourceNames": [lease if rule["resources"] == ["leases"] else host]}
            for right in rights.HOME
            for rule in build_rules([_rest(right)])
        ),
        *({**rule, "resourceNames": [account]} for rule in build_rules(rights.TOKEN)),
    ]


def _creation(right: Right) -> Right | None:
    """The part of it that cannot be narrowed to a name."""
    return replace(right, verbs=("create",)) if "create" in right.verbs else None


def _rest(right: Right) -> Right:
    return replace(right, verbs=tuple(verb for verb in right.verbs if verb != "create"))
