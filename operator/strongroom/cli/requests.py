"""What is asked of the operator about a store, by an annotation, and the wait for its answer."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import click

from strongroom.api.conditions import READY, Condition, find_condition
from strongroom.api.resources import BackupStore, parse_store
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import NotFound
from strongroom.kube.kinds import STORES

_POLL_SECONDS = 0.5
_NEVER = frozenset({"NotUsed", "Unsupported", "InvalidSpec"})
"""Reasons of Ready for which nobody will look at the store."""


async def request(client: KubeClient, namespace: str, name: str, annotation: str) -> None:
    """Ask, by a value that was never there before."""
    body = {"metadata": {"annotations": {annotation: datetime.now(UTC).isoformat(timespec="microseconds")}}}
    try:
        await client.patch(STORES, namespace, name, body)
    except NotFound as error:
        names = sorted(each["metadata"]["name"] for each in (await client.list(STORES, namespace)).items)
        there = f"there are: {', '.join(names)}" if names else "there are none"
        raise click.ClickException(f"no BackupStore {name} in namespace {namespace}; {there}") from error


async def await_answer(
    client: KubeClient,
    namespace: str,
    name: str,
    is_answered: Callable[[BackupStore], bool],
    seconds: float,
) -> tuple[BackupStore, bool]:
    """The store once the request was answered, or cannot be, or the time is over; and whether it was."""
    give_up = time.monotonic() + seconds
    while True:
        body = await client.get(STORES, namespace, name)
        if body is None:
            raise click.ClickException(f"BackupStore {name} was deleted meanwhile")
        store = parse_store(body)
        if is_answered(store):
            return store, True
        ready = find_condition(store.status.conditions, READY)
        hopeless = ready is not None and ready.reason in _NEVER and _is_current(store, ready)
        if hopeless or time.monotonic() > give_up:
            return store, False
        await asyncio.sleep(_POLL_SECONDS)


def _is_current(store: BackupStore, condition: Condition) -> bool:
    return condition.observed_generation == store.meta.generation
