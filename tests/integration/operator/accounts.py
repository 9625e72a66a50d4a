"""A service account whose Roles the test writes: it may what they say, and nothing at the cluster scope."""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from strongroom.controllers import rights
from strongroom.kube.accounts import TokenWish, request_token
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS
from strongroom.kube.kubeconfigs import Credential, build_document

NAME = "operator"
Entry = tuple[str, str, str]
"""Group, resource and verb."""


def rights_in_namespaces() -> set[Entry]:
    """What the operator declares, with the Lease's."""
    declared = (*rights.NAMESPACE, *rights.OWN)
    return {(right.group, right.resource, verb) for right in declared for verb in right.verbs}


class Account:
    """The operator's account, with a Role in each of some namespaces."""

    def __init__(self, client: KubeClient, home: str, namespaces: Iterable[str]) -> None:
        self.client = client
        self.home = home
        self.namespaces = tuple(namespaces)

    async def create(self, admin: Path, kubeconfig: Path) -> None:
        """Make it with all its rights, and write a kubeconfig with its token."""
        await self.client.create(SERVICE_ACCOUNTS, self.home, {"metadata": {"name": NAME}})
        subject = {"kind": "ServiceAccount", "name": NAME, "namespace": self.home}
        reference = {"apiGroup": ROLES.group, "kind": "Role", "name": NAME}
        for namespace in self.namespaces:
            role: dict[str, Any] = {"metadata": {"name": NAME}, "rules": _rules(rights_in_namespaces())}
            await self.client.create(ROLES, namespace, role)
            binding = {"metadata": {"name": NAME}, "roleRef": reference, "subjects": [subject]}
            await self.client.create(ROLE_BINDINGS, namespace, binding)
        _write_kubeconfig(kubeconfig, admin, await request_token(self.client, TokenWish(self.home, NAME)))

    async def lose(self, namespace: str, group: str, resource: str, *verbs: str) -> None:
        """Take these verbs on one resource from its Role of a namespace; all others it has."""
        lost = {(group, resource, verb) for verb in verbs}
        assert lost <= rights_in_namespaces()
        await self._write(namespace, rights_in_namespaces() - lost)

    async def regain(self, namespace: str) -> None:
        """Give it back what it had."""
        await self._write(namespace, rights_in_namespaces())

    async def _write(self, namespace: str, rights: set[Entry]) -> None:
        await self.client.patch(ROLES, namespace, NAME, {"rules": _rules(rights)})


def _write_kubeconfig(kubeconfig: Path, admin: Path, token: str) -> None:
    cluster = yaml.safe_load(admin.read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"])
    document = build_document(Credential(cluster["server"], authority, NAME, token))
    kubeconfig.write_text(yaml.safe_dump(document))


def _rules(rights: set[Entry]) -> list[dict[str, list[str]]]:
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for group, resource, verb in sorted(rights)
    ]
