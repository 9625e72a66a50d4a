"""When is a store too slow for the others? The one rule by which a store is set aside while a source is read.

A store holds the reading up while its buffer is full and another store has nothing left to write: that one, and the source with
its open snapshot and stopped services, could have gone on. Two stores that are equally slow never hold each other up. Once a
store has held the reading up for HELD_SECONDS and HELD_SHARE of all the time since the reading began, it is set aside: its
writer is aborted, the others go on, and it is caught up from a good copy afterwards, without the source. So no store
stretches the reading by more than a tenth and ten seconds, and one that is only a little slower need not begin anew.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

HELD_SECONDS = 10.0
"""What a moment of weakness may cost: a server that is restarted, a disk that spins up, a cache that is written back."""
HELD_SHARE = 0.1
"""What being steadily slower may cost. A store at nine tenths of the others' speed stays."""


@dataclass
class HoldUps:
    """For how long each store has held up the reading of one run, all its artifacts together."""

    clock: Callable[[], float] = time.monotonic
    _began: float | None = None
    _held: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """The reading begins, or goes on with the next artifact."""
        if self._began is None:
            self._began = self.clock()

    def add(self, stores: Iterable[str], seconds: float) -> None:
        """The others waited for these."""
        for name in stores:
            self._held[name] = self._held.get(name, 0.0) + seconds

    def has_held_up_too_long(self, store: str) -> bool:
        """Whether it is to be set aside."""
        elapsed = 0.0 if self._began is None else self.clock() - self._began
        return self._held.get(store, 0.0) > HELD_SECONDS + HELD_SHARE * elapsed

    def describe(self, store: str) -> str:
        """Why it was set aside, in words."""
        return (
            f"the store was too slow: the others waited {self._held.get(store, 0.0):.0f} s for it while the source was read, "
            "and went on without it"
        )
