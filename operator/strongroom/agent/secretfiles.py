"""Secrets as files: fetched for one attempt from the Job's own namespace, only the named keys, removed when it ends."""

import asyncio
import base64
import binascii
import logging
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

log = logging.getLogger(__name__)

Values = Mapping[SecretKeyReference, bytes]


async def fetch_secrets(client: KubeClient, order: WorkOrder, *, rolls_back: bool = False) -> Values:
    """The values of exactly the keys that the order names; of those that lead to its targets alone, where it is only put back.

    What only stores refer to may be lacking: the worker tells it as that store's failure, and the others get their copies.
    Raises StrongroomError(SecretMissing or SecretKeyMissing) for the rest, and ApiError when the API cannot be asked.
    """
    of_stores = {*order.store_secrets()}
    secrets: dict[str, Object | StrongroomError] = {}
    values: dict[SecretKeyReference, bytes] = {}
    for reference in order.target_secrets() if rolls_back else order.secrets():
        try:
            if reference.name not in secrets:
                secrets[reference.name] = await _get_or_trouble(client, order, reference.name)
            values[reference] = _value(order, reference, secrets[reference.name])
        except StrongroomError as error:
            if reference not in of_stores:
                raise
            log.warning("left to the worker: %s", error.message)
    return values


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


async def _get_or_trouble(client: KubeClient, order: WorkOrder, name: str) -> Object | StrongroomError:
    """The Secret, or why there is none: each is asked for once."""
    try:
        return await _get(client, order, name)
    except StrongroomError as error:
        return error


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


def _value(order: WorkOrder, reference: SecretKeyReference, secret: Object | StrongroomError) -> bytes:
    if isinstance(secret, StrongroomError):
        raise secret
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
    policed = order.backup or order.catch_up
    if policed is not None:
        return f"BackupPolicy {policed.policy}"
    return f"BackupStore {order.stores[0].name}"
