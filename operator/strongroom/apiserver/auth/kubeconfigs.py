"""Kubeconfigs: one file per identity, for kubectl and every other client."""

import base64
from pathlib import Path
from typing import Any

import yaml

from strongroom.apiserver.auth.authority import write_private

CLUSTER = "strongroom"


def write_kubeconfig(path: Path, *, server: str, ca: bytes, user: str, token: str) -> None:
    """Write it, readable by its owner only. `server` is a URL, `ca` PEM."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca).decode()}
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [
            {"name": CLUSTER, "context": {"cluster": CLUSTER, "user": user, "namespace": "default"}}
        ],
        "current-context": CLUSTER,
        "preferences": {},
    }
    write_private(path, yaml.safe_dump(config, sort_keys=False).encode())


def read_token(path: Path) -> str:
    """The token in a kubeconfig of ours; empty when there is no such file, or it is not ours any more."""
    try:
        token = yaml.safe_load(path.read_text())["users"][0]["user"]["token"]
    except (OSError, yaml.YAMLError, KeyError, IndexError, TypeError):
        return ""
    return token if isinstance(token, str) else ""
