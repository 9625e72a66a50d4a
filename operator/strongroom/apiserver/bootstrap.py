"""From settings to a cluster with its identities: everything here may run again and changes nothing the second time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from strongroom.apiserver.auth.authority import Certificates
from strongroom.apiserver.auth.kubeconfigs import read_token, write_kubeconfig
from strongroom.apiserver.auth.tokens import Identity, Tokens
from strongroom.apiserver.builtins import crds, namespaces, served
from strongroom.apiserver.builtins.namespaces import PROTECTED, NamespaceGuard
from strongroom.apiserver.catalogue import Catalogue
from strongroom.apiserver.cluster import Cluster
from strongroom.apiserver.handlers.edits import edit_object, ensure_object
from strongroom.apiserver.settings import Settings
from strongroom.apiserver.storage.store import Store

DATABASE = "apiserver.db"
TOKENS = "tokens.json"
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


def build_cluster(settings: Settings, tokens: Tokens) -> Cluster:
    """Open the store and put together what is served (blocking)."""
    store = Store(settings.state_dir / DATABASE, durable=settings.durable)
    catalogue = Catalogue(served.build_resources(settings.crds, tokens.find_user))
    for stored in store.items(crds.STORAGE_NAME):
        crds.serve_definition(catalogue, store, stored.object)
    store.listen(partial(crds.follow, catalogue, store))
    return Cluster(store, catalogue, admissions=(NamespaceGuard(store),))


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
        token = read_token(path)
        if not token or tokens.find(token) != identity:
            token = tokens.issue(identity)
        write_kubeconfig(path, server=server, ca=ca, user=identity.name, token=token)
    return kubeconfigs_in(settings.state_dir)
