"""Kubeconfigs of ours: one server, one user with a bearer token. For kubectl and every other client too."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CLUSTER = "strongroom"


@dataclass(frozen=True)
class Credential:
    """How to reach a server, and as whom."""

    server: str
    """URL."""
    authority: bytes | None
    """CA certificates (PEM); None: the machine's own authorities decide."""
    user: str
    token: str = field(repr=False)
    namespace: str = "default"


def build_document(credential: Credential) -> dict[str, Any]:
    """The kubeconfig as a document."""
    cluster: dict[str, Any] = {"server": credential.server}
    if credential.authority is not None:
        cluster["certificate-authority-data"] = base64.b64encode(credential.authority).decode()
    context = {"cluster": CLUSTER, "user": credential.user, "namespace": credential.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": cluster}],
        "users": [{"name": credential.user, "user": {"token": credential.token}}],
        "contexts": [{"name": CLUSTER, "context": context}],
        "current-context": CLUSTER,
        "preferences": {},
    }


def build_kubeconfig(credential: Credential) -> bytes:
    """The kubeconfig as a file's content; a secret."""
    return yaml.safe_dump(build_document(credential), sort_keys=False).encode()


def read_credential(path: Path) -> Credential | None:
    """The credential in a kubeconfig of ours; None when there is no such file, or it is not ours any more."""
    try:
        document = yaml.safe_load(path.read_bytes())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]
        authority = cluster.get("certificate-authority-data")
        return Credential(
            server=str(cluster["server"]),
            authority=None if authority is None else base64.b64decode(authority),
            user=str(user["name"]),
            token=str(user["user"]["token"]),
            namespace=str(document["contexts"][0]["context"]["namespace"]),
        )
    except (OSError, yaml.YAMLError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None
