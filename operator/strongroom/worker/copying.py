"""The stores of one order: each fails alone, and its failure bears its name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from strongroom.api.errors import StrongroomError
from strongroom.api.result import Copy
from strongroom.stores.store import Chunk, Store, StoreWriter

T = TypeVar("T")


@contextmanager
def named(store: str) -> Iterator[None]:
    """Put the store's name before the text of whatever fails inside."""
    try:
        yield
    except StrongroomError as error:
        raise StrongroomError(error.reason, f"store {store}: {error.message}") from error


@dataclass
class Copies:
    """The stores that still take part, and why the others do not. Failures are about stores, never about the source."""

    stores: dict[str, Store]
    failures: dict[str, StrongroomError] = field(default_factory=dict)

    @property
    def good(self) -> dict[str, Store]:
        """The stores without a failure."""
        return {name: store for name, store in self.stores.items() if name not in self.failures}

    def fail(self, name: str, error: StrongroomError) -> None:
        """Give a store up; raises the error when it was the last one."""
        self.failures[name] = error
        if not self.good:
            raise error

    def each(self, act: Callable[[str, Store], T]) -> dict[str, T]:
        """Do something with each good store; those that fail are given up."""
        results = {}
        for name, store in self.good.items():
            try:
                with named(name):
                    results[name] = act(name, store)
            except StrongroomError as error:
                self.fail(name, error)
        return results

    def report(self, manifest_key: str, hide: Callable[[str], str]) -> list[Copy]:
        """What each store holds now."""
        return [
            Copy(store=name, state="Succeeded", manifest_key=manifest_key)
            if name not in self.failures
            else Copy(
                store=name,
                state="Failed",
                reason=self.failures[name].reason.name,
                message=hide(self.failures[name].message),
            )
            for name in self.stores
        ]


class NamedWriter:
    """A sink into one store's writer."""

    def __init__(self, name: str, writer: StoreWriter) -> None:
        """Write there."""
        self._name = name
        self._writer = writer

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        with named(self._name):
            self._writer.write(chunk)
