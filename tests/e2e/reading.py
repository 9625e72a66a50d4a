"""What stories look at, again and again, while they wait: asked of the API itself. A kubectl for each look would keep a core busy."""

import functools
import json
import ssl
from pathlib import Path
from typing import Any

import urllib3

from strongroom.api import kinds
from strongroom.kube.kinds import (
    EVENTS,
    HOSTS,
    JOBS,
    PODS,
    POLICIES,
    RESTORES,
    RUNS,
    SECRETS,
    STORES,
    ApiKind,
)
from strongroom.kube.kubeconfigs import Credential, read_credential

_OWN = {
    POLICIES: kinds.BACKUP_POLICY,
    RUNS: kinds.BACKUP_RUN,
    STORES: kinds.BACKUP_STORE,
    HOSTS: kinds.DOCKER_HOST,
    RESTORES: kinds.RESTORE_REQUEST,
}
_KINDS = {
    **{
        name: kind
        for kind in (*_OWN, JOBS, PODS, SECRETS, EVENTS)
        for name in (kind.plural, kind.kind.lower())
    },
    **{own.short_name: kind for kind, own in _OWN.items()},
}
_SECONDS = 60


class NotReadError(Exception):
    """The API is away, or has no such object."""


def read(kubeconfig: Path, kind: str, name: str | None = None, selector: str | None = None) -> dict[str, Any]:
    """An object, or a list of all; kinds are named as kubectl takes them."""
    credential = read_credential(kubeconfig)
    if credential is None:
        raise NotReadError(f"no credential in {kubeconfig}")
    path = _kind(kind).path(credential.namespace, name)
    fields = {} if selector is None else {"labelSelector": selector}
    headers = {"Authorization": f"Bearer {credential.token}"}
    url = f"{credential.server}{path}"
    try:
        answer = _pool(credential).request("GET", url, fields=fields, headers=headers, timeout=_SECONDS)
    except urllib3.exceptions.HTTPError as error:
        raise NotReadError(str(error)) from error
    if answer.status != 200:
        raise NotReadError(answer.data.decode(errors="replace")[:500])
    body: dict[str, Any] = json.loads(answer.data)
    return body


def _kind(name: str) -> ApiKind:
    return _KINDS[name]


@functools.lru_cache(maxsize=8)
def _pool(credential: Credential) -> urllib3.PoolManager:
    authority = None if credential.authority is None else credential.authority.decode()
    context = ssl.create_default_context(cadata=authority)
    return urllib3.PoolManager(ssl_context=context, retries=False)
