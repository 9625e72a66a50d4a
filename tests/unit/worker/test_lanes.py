"""Each store in a lane of its own: who fails fails alone, who is slow is set aside, and nobody waits for who hangs."""

import threading
from collections.abc import Callable, Iterator

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.limits.passing import PassingWriter
from strongroom.stores.memory import MemoryStore
from strongroom.stores.store import Chunk, StoreWriter
from strongroom.worker import lanes as lanes_module
from strongroom.worker.copying import Copies
from strongroom.worker.holdups import HELD_SECONDS, HELD_SHARE, HoldUps
from strongroom.worker.lanes import Lanes
from strongroom.worker.storelanes import LANE_BYTES

KEY = "n/p/point/file"
MEBIBYTE = bytes(1 << 20)


class Gated(MemoryStore):
    """A store whose writers wait at a gate before each chunk."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.aborted = threading.Event()

    def create(self, key: str) -> StoreWriter:
        return _GatedWriter(super().create(key), self)


class _GatedWriter(PassingWriter):
    def __init__(self, writer: StoreWriter, store: Gated) -> None:
        super().__init__(writer)
        self._store = store

    def write(self, chunk: Chunk) -> None:
        self._store.gate.wait(30)
        super().write(chunk)

    def abort(self) -> None:
        super().abort()
        self._store.aborted.set()


class Failing(MemoryStore):
    """Full at the nth chunk."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def create(self, key: str) -> StoreWriter:
        return _FailingWriter(super().create(key), self)


class _FailingWriter(PassingWriter):
    def __init__(self, writer: StoreWriter, store: Failing) -> None:
        super().__init__(writer)
        self._store = store

    def write(self, chunk: Chunk) -> None:
        self._store.at -= 1
        if self._store.at == 0:
            raise StrongroomError(Reason.StoreFull, "full")
        super().write(chunk)


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Eager(HoldUps):
    """Sets aside whoever holds up the others at all."""

    def has_held_up_too_long(self, store: str) -> bool:
        return store in self._held


@pytest.fixture
def gated() -> Iterator[Gated]:
    store = Gated()
    yield store
    store.gate.set()


def content(store: MemoryStore) -> int:
    return sum(found.size_bytes for found in store.list())


def write(lanes: Lanes, count: int) -> None:
    for _ in range(count):
        lanes.write(MEBIBYTE)


def test_everything_reaches_every_store_though_the_buffer_is_used_again() -> None:
    stores = {"one": MemoryStore(), "two": MemoryStore()}
    committed: list[str] = []
    buffer = bytearray(4)
    with Lanes(Copies({**stores})) as lanes:
        lanes.begin(KEY)
        for number in range(100):
            buffer[:] = b"%04d" % number
            lanes.write(memoryview(buffer))
        lanes.commit(committed.append)
        lanes.finish()
    expected = b"".join(b"%04d" % number for number in range(100))
    for store in stores.values():
        got = memoryview(bytearray(1000))
        with store.open(KEY) as reader:
            assert bytes(got[: reader.readinto(got)]) == expected
    assert sorted(committed) == ["one", "two"]


def test_a_store_that_fails_is_given_up_and_the_others_get_everything() -> None:
    good, full = MemoryStore(), Failing(3)
    copies = Copies({"full": full, "good": good})
    with Lanes(copies) as lanes:
        lanes.begin(KEY)
        write(lanes, 10)
        lanes.commit(lambda _: None)
        lanes.finish()
    assert (content(good), content(full)) == (10 << 20, 0)
    assert {name: error.message for name, error in copies.failures.items()} == {"full": "store full: full"}


def test_when_the_last_store_has_failed_the_writer_is_told() -> None:
    with Lanes(Copies({"one": Failing(1), "two": Failing(2)})) as lanes:
        lanes.begin(KEY)
        with pytest.raises(StrongroomError, match="full"):
            write(lanes, 10_000)


def test_a_fault_of_ours_in_one_lane_costs_that_store_alone() -> None:
    class Broken(MemoryStore):
        def create(self, key: str) -> StoreWriter:
            raise KeyError(key)

    good = MemoryStore()
    copies = Copies({"broken": Broken(), "good": good})
    with Lanes(copies) as lanes:
        lanes.begin(KEY)
        write(lanes, 2)
        lanes.commit(lambda _: None)
        lanes.finish()
    assert copies.failures["broken"].reason is Reason.InternalError
    assert content(good) == 2 << 20


def test_a_store_that_holds_the_others_up_is_set_aside_and_its_writer_aborted(gated: Gated) -> None:
    good = MemoryStore()
    copies = Copies({"slow": gated, "good": good})
    with Lanes(copies, Eager()) as lanes:
        lanes.begin(KEY)
        write(lanes, 40)
        lanes.commit(lambda _: None)
        lanes.finish()
        assert [*copies.behind] == ["slow"]
        assert copies.behind["slow"].reason is Reason.StoreBehind
        assert not gated.aborted.is_set()
        gated.gate.set()
        assert gated.aborted.wait(10)
    assert content(good) == 40 << 20
    assert (copies.failures, copies.hanging, content(gated)) == ({}, set(), 0)


def test_a_slow_store_may_be_as_far_behind_as_the_buffer_is_large(gated: Gated) -> None:
    good = MemoryStore()
    copies = Copies({"slow": gated, "good": good})
    fits = LANE_BYTES // (1 << 20) - 1
    with Lanes(copies, Eager()) as lanes:
        lanes.begin(KEY)
        write(lanes, fits)
        lanes.commit(lambda _: None)
        lanes.first_idle()
        assert content(good) == fits << 20
        gated.gate.set()
        lanes.finish()
    assert content(gated) == fits << 20
    assert copies.behind == {}


def test_the_only_store_is_waited_for_however_slow_it_is(gated: Gated) -> None:
    copies = Copies({"slow": gated})
    with Lanes(copies, Eager()) as lanes:
        lanes.begin(KEY)
        writer = threading.Thread(target=write, args=(lanes, 40))
        writer.start()
        writer.join(0.6)
        assert writer.is_alive()
        gated.gate.set()
        writer.join(30)
        lanes.commit(lambda _: None)
        lanes.finish()
    assert content(gated) == 40 << 20
    assert copies.behind == {}


def test_stores_that_are_equally_slow_do_not_hold_each_other_up(gated: Gated) -> None:
    other = Gated()
    copies = Copies({"one": gated, "other": other})
    with Lanes(copies, Eager()) as lanes:
        lanes.begin(KEY)
        writer = threading.Thread(target=write, args=(lanes, 40))
        writer.start()
        writer.join(0.6)
        assert writer.is_alive()
        other.gate.set()
        gated.gate.set()
        writer.join(30)
        lanes.commit(lambda _: None)
        lanes.finish()
    assert content(other) == 40 << 20


def test_a_lane_that_hangs_is_left_after_a_moment_and_told(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "_LEAVING_SECONDS", 0.2)
    copies = Copies({"hung": gated, "good": MemoryStore()})
    with Lanes(copies) as lanes:
        lanes.begin(KEY)
        write(lanes, 2)
        lanes.set_aside_unfinished(0.2, "time is up")
    assert copies.hanging == {"hung"}
    assert "time is up" in copies.behind["hung"].message
    gated.gate.set()
    lanes.await_end(["hung"])
    assert copies.hanging == set()
    assert gated.aborted.is_set()


def test_who_writes_to_a_full_lane_is_let_go_when_all_is_given_up(gated: Gated) -> None:
    ended: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - that it raises is what is looked at
            ended.append(error)

    with Lanes(Copies({"slow": gated})) as lanes:
        lanes.begin(KEY)
        writer = threading.Thread(target=run, args=(lambda: write(lanes, 100),))
        writer.start()
        lanes.give_up()
        writer.join(10)
        assert not writer.is_alive()
        gated.gate.set()
    assert len(ended) == 1


def test_a_store_may_hold_the_others_up_for_some_seconds_in_sum_and_a_share_of_the_whole() -> None:
    clock = Clock()
    held = HoldUps(clock)
    held.begin()
    for _ in range(10):
        clock.now += 100
        held.add(["slow"], HELD_SECONDS / 10 + 100 * HELD_SHARE)
        held.begin()
    assert not held.has_held_up_too_long("slow")
    held.add(["slow"], 0.1)
    assert held.has_held_up_too_long("slow")
    assert not held.has_held_up_too_long("good")
    clock.now += 100
    assert not held.has_held_up_too_long("slow")
