"""Following a kind: list, watch, and again, for ever; whatever breaks, the next listing puts it right."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from strongroom.kube.client import KubeClient, Object, Selector
from strongroom.kube.errors import ApiError, Gone
from strongroom.kube.kinds import ApiKind

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
LONGEST_ASKED_SECONDS = 60.0
"""Longer than this we do not wait because a server asks for it (Retry-After)."""
RELIST_SECONDS = 600.0
"""A full listing at least this often: a lost event is a late one at worst."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """News: LISTED carries every object there is (and replaces what was known), the others carry the one that changed."""

    type: str
    """LISTED, ADDED, MODIFIED or DELETED."""
    objects: list[Object]


async def follow(
    client: KubeClient,
    kind: ApiKind,
    namespace: str | None = None,
    *,
    labels: Selector | None = None,
    relist_seconds: float = RELIST_SECONDS,
) -> AsyncGenerator[Change]:
    """Changes for ever, beginning with a LISTED. Never raises ApiError: it waits (with jitter) and lists again."""
    failures = 0
    while True:
        asked = 0.0
        try:
            listing = await client.list(kind, namespace, labels=labels)
            yield Change("LISTED", listing.items)
            failures = 0
            changes = _watch(
                client, kind, namespace, labels, listing.resource_version, relist_seconds=relist_seconds
            )
            async with aclosing(changes):
                async for change in changes:
                    yield change
        except Gone:
            log.info("the watch of %s was too old, listing again", kind.resource)
        except ApiError as error:
            failures += 1
            asked = error.retry_after_seconds or 0.0
            log.warning("following %s: %s", kind.resource, error)
        # Also after a clean end: a server that ends each stream at once must not be hammered.
        await asyncio.sleep(max(pause_seconds(failures), min(asked, LONGEST_ASKED_SECONDS)))


async def _watch(
    client: KubeClient,
    kind: ApiKind,
    namespace: str | None,
    labels: Selector | None,
    version: str,
    *,
    relist_seconds: float,
) -> AsyncGenerator[Change]:
    loop = asyncio.get_running_loop()
    relist_at = loop.time() + relist_seconds
    while loop.time() < relist_at:
        stream = client.watch(kind, namespace, labels=labels, resource_version=version)
        async with aclosing(stream):
            async for type_, changed in stream:
                version = changed["metadata"]["resourceVersion"]
                if type_ != "BOOKMARK":
                    yield Change(type_, [changed])
        await asyncio.sleep(pause_seconds(0))


def pause_seconds(failures: int) -> float:
    """Exponential with full jitter: many clients of one server that came back do not return at the same moment."""
    ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 10))
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311  spreads load, guards nothing
