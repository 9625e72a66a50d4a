"""The stores of one order: each fails alone, and its failure bears its name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import Copy
from strongroom.pipeline.errands import Errand
from strongroom.stores.store import Store

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
    behind: dict[str, StrongroomError] = field(default_factory=dict)
    """Stores that were set aside for being slow: nothing is wrong with them."""
    verified: dict[str, datetime] = field(default_factory=dict)
    """When a store's copy was read back whole."""
    hanging: set[str] = field(default_factory=set)
    """Stores that have not returned from a call: nothing more may be asked of them."""

    @property
    def good(self) -> dict[str, Store]:
        """The stores that lack nothing."""
        lacking = self.failures.keys() | self.behind.keys()
        return {name: store for name, store in self.stores.items() if name not in lacking}

    def set_aside(self, name: str, why: str) -> None:
        """Go on without a store that is to be caught up."""
        self.behind[name] = StrongroomError(Reason.StoreBehind, f"store {name}: {why}")

    def each(self, act: Callable[[str, Store], T]) -> dict[str, T]:
        """Do something with each good store, all at once; those that fail are given up. Others in the order of the stores."""
        results: dict[str, T] = {}

        def run(name: str, store: Store) -> None:
            with named(name):
                results[name] = act(name, store)

        good = self.good
        errands = {name: Errand(f"store {name}", _bound(run, name, store)) for name, store in good.items()}
        for errand in errands.values():
            errand.wait()
        for name, errand in errands.items():
            if isinstance(errand.failure, StrongroomError):
                self.failures[name] = errand.failure
            elif errand.failure is not None:
                raise errand.failure
        if good and not self.good:
            raise self.failures[next(reversed(good))]
        return {name: results[name] for name in good if name in results}

    def shortage(self, needed: int | None) -> StrongroomError | None:
        """Why there are fewer good copies than needed (all, without a number), or None."""
        if len(self.good) >= min(needed or len(self.stores), len(self.stores)):
            return None
        return next(iter([*self.failures.values(), *self.behind.values()]), None)

    def report(self, manifest_key: str, hide: Callable[[str], str]) -> list[Copy]:
        """What each store holds now."""
        return [self._report(name, manifest_key, hide) for name in self.stores]

    def _report(self, name: str, manifest_key: str, hide: Callable[[str], str]) -> Copy:
        trouble = self.failures.get(name) or self.behind.get(name)
        if trouble is None:
            return Copy(
                store=name,
                state="Succeeded",
                manifest_key=manifest_key,
                verified_time=self.verified.get(name),
            )
        return Copy(
            store=name,
            state="Failed" if name in self.failures else "Behind",
            reason=trouble.reason.name,
            message=hide(trouble.message),
        )


def _bound(run: Callable[[str, Store], None], name: str, store: Store) -> Callable[[], None]:
    return lambda: run(name, store)
