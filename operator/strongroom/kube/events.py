"""Kubernetes Events: what happened to an object, for people (`kubectl describe`, `kubectl events`)."""

import hashlib
import logging
from datetime import UTC, datetime
from typing import Any, Literal

from strongroom.api.fields import format_time
from strongroom.kube.client import KubeClient, Object
from strongroom.kube.errors import AlreadyExists, ApiError
from strongroom.kube.kinds import EVENTS
from strongroom.kube.rights import on

MESSAGE_LENGTH = 1024
EventType = Literal["Normal", "Warning"]
RIGHTS = (on(EVENTS, "get", "create", "patch"),)

log = logging.getLogger(__name__)


async def emit(client: KubeClient, involved: Object, type_: EventType, reason: str, message: str) -> None:
    """Record an Event about `involved`, or count up the one that is there.

    One Event per object, type and reason, holding the newest message: however often something happens, the number of
    objects is bounded. Best effort: an Event that cannot be written is logged, for nothing depends on it.
    """
    namespace = involved["metadata"].get("namespace") or "default"
    name = _event_name(involved, type_, reason)
    now = format_time(datetime.now(UTC))
    text = message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…"
    try:
        if not await _count_up(client, namespace, name, text, now):
            body = _new_event(client.component, involved, type_, reason) | {
                "metadata": {"name": name, "namespace": namespace},
                "message": text,
                "count": 1,
                "firstTimestamp": now,
                "lastTimestamp": now,
            }
            await client.create(EVENTS, namespace, body)
    except AlreadyExists:
        log.debug("Event %s was recorded by another at the same time", name)
    except ApiError as error:
        log.warning("Event %s of %s/%s was not recorded: %s", reason, namespace, name, error)


async def _count_up(client: KubeClient, namespace: str, name: str, message: str, now: str) -> bool:
    found = await client.get(EVENTS, namespace, name)
    if found is None:
        return False
    body = {"message": message, "count": int(found.get("count") or 1) + 1, "lastTimestamp": now}
    await client.patch(EVENTS, namespace, name, body)
    return True


def _event_name(involved: Object, type_: str, reason: str) -> str:
    meta = involved["metadata"]
    key = "\0".join((meta.get("uid") or "", involved["kind"], meta["name"], type_, reason))
    return f"{meta['name'][:200].rstrip('-.')}.{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _new_event(component: str, involved: Object, type_: str, reason: str) -> dict[str, Any]:
    meta = involved["metadata"]
    reference = {
        "apiVersion": involved["apiVersion"],
        "kind": involved["kind"],
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
    }
    return {
        "involvedObject": {key: value for key, value in reference.items() if value},
        "type": type_,
        "reason": reason,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": component,
    }
