"""From settings to a cluster with its identities: everything here may run again and changes nothing the second time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from strongroom.apiserver.auth.accounts import AccountTokens
from strongroom.apiserver.auth.authority import Certificates, write_private
from strongroom.apiserver.auth.gate import TokenGate
from strongroom.apiserver.auth.jwts import ensure_signing_key
from strongroom.apiserver.auth.tokens import Identity, Tokens
from strongroom.apiserver.builtins import crds, namespaces, served, serviceaccounts
from strongroom.apiserver.builtins.grants import Grants
from strongroom.apiserver.builtins.namespaces import PROTECTED, NamespaceGuard
from strongroom.apiserver.catalogue import Catalogue
from strongroom.apiserver.cluster import Cluster
from strongroom.apiserver.handlers.edits import edit_object, ensure_object
from strongroom.apiserver.listening import PKI
from strongroom.apiserver.settings import Settings
from strongroom.apiserver.storage.store import Store
from strongroom.kube.kubeconfigs import Credential, build_kubeconfig, read_credential

DATABASE = "apiserver.db"
TOKENS = "tokens.json"
SIGNING_KEY = "accounts.key"
IDENTITIES = (
    Identity("admin", ("system:masters",), "admin"),
    Identity("strongroom:operator", ("strongroom:operators",), "operator"),
    Identity("strongroom:agent", ("strongroom:agents",), "agent"),
)


@dataclass(frozen=True)
class Kubeconfigs:
    """Where the identities' kubeconfigs are."""

    admin: Path
    operator: Path
    agent: Path


def kubeconfigs_in(state_dir: Path) -> Kubeconfigs:
    """Their places in a state folder, written or not."""
    return Kubeconfigs(*(state_dir / f"{role}.kubeconfig" for role in ("admin", "operator", "agent")))


@dataclass(frozen=True)
class ControlPlane:
    """What is served, and who is let in."""

    cluster: Cluster
    gate: TokenGate


def build_control_plane(settings: Settings, tokens: Tokens) -> ControlPlane:
    """Open the store and put together what is served (blocking)."""
    store = Store(settings.state_dir / DATABASE, durable=settings.durable)
    access = _build_access(settings, store, tokens)
    catalogue = Catalogue(served.build_resources(settings.crds, access))
    for stored in store.items(crds.STORAGE_NAME):
        crds.serve_definition(catalogue, store, stored.object)
    store.listen(partial(crds.follow, catalogue, store))
    cluster = Cluster(store, catalogue, admissions=(NamespaceGuard(store),))
    return ControlPlane(cluster, TokenGate(access.find_user, access.find_rules))


def _build_access(settings: Settings, store: Store, tokens: Tokens) -> served.Access:
    key = ensure_signing_key(settings.state_dir / PKI / SIGNING_KEY)
    accounts = AccountTokens(key, partial(serviceaccounts.find_uid, store))
    return served.Access(
        find_user=lambda token: tokens.find_user(token) or accounts.find_user(token),
        find_rules=Grants(store).rules_of,
        issue_token=accounts.issue,
    )


async def ensure_objects(cluster: Cluster, own_crds: Sequence[Mapping[str, Any]]) -> None:
    """The objects that are always there: namespaces and the server's own definitions, brought to their present form."""
    for name in PROTECTED:
        await ensure_object(cluster, namespaces.RESOURCE, {"metadata": {"name": name}})
    definitions = cluster.catalogue.find_stored(crds.STORAGE_NAME)
    assert definitions is not None  # noqa: S101 - it is built in
    for crd in own_crds:
        stored = await ensure_object(cluster, definitions, crd)
        await edit_object(cluster, definitions, stored.key, partial(crds.renew, crd))


def ensure_kubeconfigs(
    settings: Settings,
    tokens: Tokens,
    certificates: Certificates,
    server: str,
    identities: Sequence[Identity] = IDENTITIES,
) -> Kubeconfigs:
    """A kubeconfig for each identity; a token that still works stays, so running clients are not locked out."""
    ca = certificates.ca.read_bytes()
    for identity in identities:
        path = settings.state_dir / f"{identity.role}.kubeconfig"
        found = read_credential(path)
        token = found.token if found else ""
        if not token or tokens.find(token) != identity:
            token = tokens.issue(identity)
        write_private(path, build_kubeconfig(Credential(server, ca, identity.name, token)))
    return kubeconfigs_in(settings.state_dir)
