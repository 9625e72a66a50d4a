"""One stream to several stores, each in a lane of its own: the slow do not hold up the others for long, the failed not at all."""

import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.pipes import AbandonedError
from strongroom.pipeline.sinks import CHUNK_BYTES, Chunk
from strongroom.worker.copying import Copies
from strongroom.worker.holdups import HoldUps
from strongroom.worker.storelanes import StoreLane

_LOOK_SECONDS = 0.25
_LEAVING_SECONDS = 12.0
"""How long lanes that are left may take to abort what they were writing, all together; a store lets go within ten, or hangs."""


class Lanes:
    """The lanes of the good stores of `copies`, and the sink that writes to all of them, bounded by the fullest.

    As a context manager it leaves every lane at the end, and tells `copies` what became of them: who failed, who was set
    aside, and whose thread still hangs in a call.
    """

    def __init__(self, copies: Copies, hold_ups: HoldUps | None = None) -> None:
        """Start the lanes. Without `hold_ups` nobody is set aside: the slowest has all the time that it needs."""
        self._copies = copies
        self._hold_ups = hold_ups
        self._lanes = {name: StoreLane(name, store) for name, store in copies.good.items()}
        self._taking = list(self._lanes.values())
        self._is_given_up = False
        self._gathered = bytearray()
        """Ciphers write small chunks: to hand each over, to several threads, would take longer than to write it."""

    @property
    def alive(self) -> list[StoreLane]:
        """Those that still take part."""
        return [lane for lane in self._lanes.values() if lane.is_alive]

    def begin(self, key: str, stores: Collection[str] | None = None) -> None:
        """Begin to write a key, in these stores alone if they are named."""
        if self._hold_ups is not None:
            self._hold_ups.begin()
        self._taking = [lane for name, lane in self._lanes.items() if stores is None or name in stores]
        for lane in self._taking:
            lane.begin(key)

    def write(self, chunk: Chunk) -> None:
        """See Sink. Raises the last store's failure when there is nobody left to write for."""
        self._gathered += chunk
        if len(self._gathered) >= CHUNK_BYTES:
            self._pass_on()

    def commit(self, committed: Callable[[str], None]) -> None:
        """Have what was written committed. Does not wait for it: what holds the source may be let go."""
        if self._gathered:
            self._pass_on()
        for lane in self._taking:
            lane.commit(committed)

    def rewind(self) -> None:
        """Forget what was written since `begin`."""
        self._gathered.clear()
        for lane in self._taking:
            lane.rewind()

    def first_idle(self) -> StoreLane:
        """The first that has done all that it was given. Raises the last failure when all have failed."""
        while True:
            alive = self._alive_or_raise(list(self._lanes.values()))
            idle = next((lane for lane in alive if lane.is_idle), None)
            if idle is not None:
                return idle
            alive[0].wait(_LOOK_SECONDS)

    def finish(self) -> None:
        """Wait until every lane has done all that it was given, or has failed."""
        for lane in self._lanes.values():
            while lane.is_alive and not lane.is_idle:
                lane.wait(_LOOK_SECONDS)

    def set_aside_unfinished(self, grace_seconds: float, why: str) -> None:
        """Leave those that are still at it after that time. They are behind."""
        end = time.monotonic() + grace_seconds
        for lane in self.alive:
            while lane.is_alive and not lane.is_idle and (left := end - time.monotonic()) > 0:
                lane.wait(min(left, _LOOK_SECONDS))
            if lane.is_alive and not lane.is_idle:
                self._set_aside(lane, why)

    def await_end(self, stores: Collection[str]) -> None:
        """After leaving: wait until these have returned from their last call, which takes no longer than a store may be silent."""
        for name in stores:
            while name in self._lanes and not self._lanes[name].is_ended(_LOOK_SECONDS):
                pass
            self._copies.hanging.discard(name)

    def fail(self, lane: StoreLane, error: StrongroomError) -> None:
        """Give one up for what was met elsewhere."""
        lane.failure = lane.failure or error

    def give_up(self) -> None:
        """Let whoever writes here wait no longer: nothing of it is needed any more."""
        self._is_given_up = True

    def report(self) -> None:
        """Tell `copies` who has failed so far."""
        for name, lane in self._lanes.items():
            if lane.failure is not None and name not in self._copies.behind:
                self._copies.failures.setdefault(name, lane.failure)

    def _pass_on(self) -> None:
        whole = bytes(self._gathered)
        self._gathered.clear()
        for lane in self._with_room():
            lane.write(whole)

    def _with_room(self) -> list[StoreLane]:
        while True:
            alive = self._alive_or_raise(self._taking)
            full = [lane for lane in alive if not lane.has_room]
            if not full:
                return alive
            self._wait_for(full, alive)

    def _wait_for(self, full: list[StoreLane], alive: list[StoreLane]) -> None:
        if self._is_given_up:
            raise AbandonedError
        others_starve = any(lane.is_idle for lane in alive if lane not in full)
        began = time.monotonic()
        full[0].wait(_LOOK_SECONDS)
        if self._hold_ups is None or not others_starve:
            return
        self._hold_ups.add([lane.name for lane in full], time.monotonic() - began)
        for lane in full:
            if self._hold_ups.has_held_up_too_long(lane.name):
                self._set_aside(lane, self._hold_ups.describe(lane.name))

    def _set_aside(self, lane: StoreLane, why: str) -> None:
        self._copies.set_aside(lane.name, why)
        lane.leave()

    def _alive_or_raise(self, lanes: Collection[StoreLane]) -> list[StoreLane]:
        alive = [lane for lane in lanes if lane.is_alive]
        if not alive:
            failures = [lane.failure for lane in lanes if lane.failure is not None]
            raise (
                failures[-1]
                if failures
                else StrongroomError(Reason.StoreFailed, "no store is left to write to")
            )
        return alive

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave every lane."""
        self.report()
        for lane in self._lanes.values():
            lane.leave()
        end = time.monotonic() + _LEAVING_SECONDS
        for lane in self._lanes.values():
            if not lane.is_ended(max(0.0, end - time.monotonic())):
                self._copies.hanging.add(lane.name)
