"""Secrets as files: fetched for one attempt from the Job's own namespace, only the named keys, removed when it ends."""

import asyncio
import base64
import binascii
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from strongroom.agent.durable import PRIVATE_FILE, make_folder
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.api.workorder import WorkOrder
from strongroom.kube.client import KubeClient, Object
from strongroom.kube.errors import Forbidden
from strongroom.kube.kinds import SECRETS

Values = Mapping[SecretKeyReference, bytes]


async def fetch_secrets(client: KubeClient, order: WorkOrder) -> Values:
    """The values of exactly the keys that the order names.

    Raises StrongroomError(SecretMissing or SecretKeyMissing), and ApiError when the API cannot be asked.
    """
    references = order.secrets()
    found = {name: await _get(client, order, name) for name in dict.fromkeys(r.name for r in references)}
    return {reference: _value(order, reference, found[reference.name]) for reference in references}


def write_secrets(folder: Path, values: Values) -> None:
    """Write each value to `<folder>/<Secret>/<key>`, mode 0600 from its first moment, in the place of older ones."""
    remove_secrets(folder)
    make_folder(folder)
    for reference, value in values.items():
        make_folder(folder / reference.name)
        path = folder / reference.name / reference.key
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
            file.write(value)


def remove_secrets(folder: Path) -> None:
    """Remove the folder; one that is gone is removed."""
    if folder.exists():
        shutil.rmtree(folder)


async def _get(client: KubeClient, order: WorkOrder, name: str) -> Object:
    try:
        async with asyncio.timeout(60):
            found = await client.get(SECRETS, order.namespace, name)
    except Forbidden as error:
        raise StrongroomError(
            Reason.SecretMissing,
            f"the agent may not read Secret {order.namespace}/{name}, which {_user(order)} refers to: {error.message}",
        ) from error
    if found is None:
        keys = ", ".join(r.key for r in order.secrets() if r.name == name)
        raise StrongroomError(
            Reason.SecretMissing,
            f"Secret {name} does not exist in namespace {order.namespace}; {_user(order)} needs its key {keys}",
        )
    return found


def _value(order: WorkOrder, reference: SecretKeyReference, secret: Object) -> bytes:
    encoded = (secret.get("data") or {}).get(reference.key)
    # `.` and `..` pass the pattern of keys, and name no file.
    if encoded is None or reference.key in (".", ".."):
        raise StrongroomError(
            Reason.SecretKeyMissing,
            f"Secret {reference.name} in namespace {order.namespace} has no key {reference.key}; {_user(order)} needs it",
        )
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise StrongroomError(
            Reason.SecretKeyMissing,
            f"key {reference.key} of Secret {reference.name} in namespace {order.namespace} is not valid base64",
        ) from error


def _user(order: WorkOrder) -> str:
    """Who refers to the Secret, in words."""
    if order.backup is not None:
        return f"BackupPolicy {order.backup.policy}"
    return f"BackupStore {order.stores[0].name}"
