"""What every handler works on: the store, the catalogue, admission across kinds, and the clock."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from strongroom.apiserver.catalogue import Catalogue
from strongroom.apiserver.http import statuses
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.storage.records import Key
from strongroom.apiserver.storage.store import Store


class Admission(Protocol):
    """Looks at creations of every kind, such as the guard that wants the namespace to exist."""

    def admit_create(self, resource: Resource, obj: Object) -> None:
        """Raise a StatusError to refuse."""


@dataclass
class Cluster:
    """One control plane in one event loop."""

    store: Store
    catalogue: Catalogue
    admissions: Sequence[Admission] = ()
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Let watches end: they look at `stopping` whenever they wake."""
        self.stopping.set()
        self.store.wake()

    def timestamp(self) -> str:
        """Now as metav1.Time."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(resource: Resource, namespace: str, name: str) -> Key:
    """The storage key of an object."""
    return Key(resource.storage_name, namespace if resource.namespaced else "", name)


def not_found(resource: Resource, name: str) -> statuses.StatusError:
    """404 in the words of this resource."""
    return statuses.not_found(resource.plural, resource.group, name)


def conflict(resource: Resource, name: str, why: str = statuses.MODIFIED) -> statuses.StatusError:
    """409 in the words of this resource."""
    return statuses.conflict(resource.plural, resource.group, name, why)
