"""Rates, retries and patience, by a clock of the tests' own; what hangs really hangs."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.api.backupstore import StoreLimits
from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.limits.passing import PassingStore, PassingWriter
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.limits.rates import PacedStore, TokenBucket
from strongroom.stores.limits.retries import Endurance, PersistentStore
from strongroom.stores.limits.stalls import StalledError, Watch, WatchedStore
from strongroom.stores.memory import MemoryStore
from strongroom.stores.store import Chunk, KeyMissingError, StoredKey, StoreProbe, StoreWriter

QUICKLY = 0.2


@dataclass
class Clock:
    """Time that passes by sleeping alone."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@given(
    st.lists(st.tuples(st.integers(1, 3_000_000), st.floats(0, 5)), min_size=1, max_size=30),
    st.integers(16_384, 10_000_000),
)
def test_never_more_than_the_rate_and_one_bucket_moves_in_any_span(
    chunks: list[tuple[int, float]], rate: int
) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, clock, clock.sleep)
    moved: list[tuple[float, int]] = []
    for size, pause in chunks:
        clock.now += pause
        moved += [(clock.now, len(piece)) for piece in bucket.pieces(bytes(size))]
    for first in range(0, len(moved), max(1, len(moved) // 10)):
        total = sum(count for _, count in moved[first:])
        span = moved[-1][0] - moved[first][0]
        assert total <= rate * span + 2 * bucket.size_bytes + 1
    assert sum(count for _, count in moved) == sum(size for size, _ in chunks)


def test_writers_and_readers_of_one_store_share_its_rates() -> None:
    clock = Clock()
    up, down = (TokenBucket(rate, clock, clock.sleep) for rate in (100_000, 400_000))
    store = PacedStore(MemoryStore(), up=up, down=down)
    for key in ("a", "b"):
        with store.create(key) as writer:
            writer.write(bytes(100_000))
            writer.commit()
    assert clock.now == pytest.approx(2, abs=0.2)
    began, buffer, read = clock.now, memoryview(bytearray(1 << 20)), 0
    with store.open("a") as reader:
        while count := reader.readinto(buffer):
            read += count
    assert read == 100_000
    assert clock.now - began == pytest.approx(0.25, abs=0.2)


class Breaking(PassingStore):
    """A store that fails as often as a test says."""

    def __init__(self, error: StrongroomError, times: int) -> None:
        super().__init__(MemoryStore())
        self.error = error
        self.left = times
        self.asked = 0

    def _break(self) -> None:
        self.asked += 1
        if self.left > 0:
            self.left -= 1
            raise self.error

    def probe(self) -> StoreProbe:
        self._break()
        return super().probe()

    def delete(self, key: str) -> None:
        self._break()
        super().delete(key)

    def create(self, key: str) -> StoreWriter:
        self._break()
        return super().create(key)

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        for found in super().list(prefix):
            yield found
            self._break()


BROKEN = StrongroomError(Reason.StoreUnreachable, "the connection broke off")


def persistent(store: Breaking, clock: Clock, seconds: float = 120) -> PersistentStore:
    return PersistentStore(store, Endurance(seconds, clock, clock.sleep, lambda: 1.0))


def test_what_passes_is_tried_again_with_growing_pauses() -> None:
    clock, store = Clock(), Breaking(BROKEN, 8)
    persistent(store, clock).probe()
    assert clock.slept == [0.5, 1, 2, 4, 8, 16, 20, 20]


def test_it_is_tried_no_longer_than_for_its_time_and_raises_what_it_met_last() -> None:
    clock, store = Clock(), Breaking(BROKEN, 1000)
    with pytest.raises(StrongroomError, match="broke off"):
        persistent(store, clock, 10).probe()
    assert clock.now <= 10
    assert store.asked == 5


def test_the_time_that_a_client_spent_on_retries_of_its_own_counts() -> None:
    clock, store = Clock(), Breaking(BROKEN, 1000)
    act = store.probe

    def slowly() -> StoreProbe:
        clock.now += 70
        return act()

    store.probe = slowly  # type: ignore[method-assign]
    with pytest.raises(StrongroomError, match="broke off"):
        persistent(store, clock, 120).probe()
    assert store.asked == 2


@pytest.mark.parametrize(
    "error",
    [
        StrongroomError(Reason.StoreFull, "full"),
        StrongroomError(Reason.StoreFailed, "bad disk"),
        StrongroomError(Reason.AuthenticationFailed, "wrong key"),
        KeyMissingError("a"),
        StalledError(600),
    ],
)
def test_what_does_not_pass_is_not_tried_again(error: StrongroomError) -> None:
    clock, store = Clock(), Breaking(error, 1)
    with pytest.raises(type(error)):
        persistent(store, clock).delete("a")
    assert (store.asked, clock.slept) == (1, [])


def test_a_listing_that_breaks_off_goes_on_where_it_was_and_gives_each_key_once() -> None:
    store = Breaking(BROKEN, 0)
    keys = [f"key-{number:02}" for number in range(10)]
    for key in keys:
        with store.create(key) as writer:
            writer.commit()
    store.left = 7
    assert [found.key for found in persistent(store, Clock()).list()] == keys
    store.left = 1000
    with pytest.raises(StrongroomError, match="broke off"):
        list(persistent(store, Clock()).list())


class Hanging(PassingStore):
    """A store that does nothing more from a moment on, until the test is over."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.hangs = threading.Event()
        self.over = threading.Event()
        self.while_hanging: Callable[[], None] = lambda: None

    def _hang(self) -> None:
        while self.hangs.is_set() and not self.over.wait(QUICKLY / 10):
            self.while_hanging()

    def probe(self) -> StoreProbe:
        self._hang()
        return super().probe()

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        self._hang()
        return super().list(prefix)

    def create(self, key: str) -> StoreWriter:
        return _HangingWriter(super().create(key), self._hang)


class _HangingWriter(PassingWriter):
    def __init__(self, writer: StoreWriter, hang: Callable[[], None]) -> None:
        super().__init__(writer)
        self._hang = hang

    def write(self, chunk: Chunk) -> None:
        self._hang()
        super().write(chunk)

    def commit(self) -> None:
        self._hang()
        super().commit()

    def abort(self) -> None:
        self._hang()
        super().abort()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    store = Hanging()
    yield store
    store.over.set()


def stalls() -> "pytest.RaisesExc[StalledError]":
    return pytest.raises(StalledError, match=r"limits\.stallTimeout")


@pytest.mark.parametrize("act", ["write", "commit"])
def test_a_writer_that_hangs_fails_and_its_store_is_asked_no_more(hanging: Hanging, act: str) -> None:
    store = WatchedStore(hanging, Watch(QUICKLY))
    with store.create("a") as writer:
        writer.write(b"whole")
        hanging.hangs.set()
        with stalls():
            writer.write(b"x") if act == "write" else writer.commit()
    with stalls():
        store.delete("b")


@pytest.mark.parametrize("act", ["probe", "list"])
def test_a_store_that_never_answers_fails(hanging: Hanging, act: str) -> None:
    store = WatchedStore(hanging, Watch(QUICKLY))
    hanging.hangs.set()
    with stalls():
        store.probe() if act == "probe" else list(store.list())


def test_leaving_a_writer_that_hangs_takes_a_moment_and_raises_nothing(hanging: Hanging) -> None:
    with WatchedStore(hanging, Watch(QUICKLY)).create("a") as writer:
        writer.write(b"x")
        hanging.hangs.set()


def test_a_call_that_takes_long_while_bytes_move_inside_has_not_stalled(hanging: Hanging) -> None:
    pulse, moved = Pulse(), []

    def move() -> None:
        pulse.beat()
        moved.append(None)
        if len(moved) > 20:
            hanging.hangs.clear()

    hanging.while_hanging = move
    hanging.hangs.set()
    assert WatchedStore(hanging, Watch(QUICKLY, pulse)).probe().free_bytes is None
    assert len(moved) == 21


def test_the_writers_buffer_may_be_used_again_although_the_call_was_left(hanging: Hanging) -> None:
    store, buffer = WatchedStore(hanging, Watch(60)), bytearray(b"first")
    with store.create("a") as writer:
        writer.write(memoryview(buffer))
        buffer[:] = b"other"
        writer.commit()
    got = memoryview(bytearray(5))
    with store.open("a") as reader:
        assert reader.readinto(got) == 5
    assert bytes(got) == b"first"


def test_a_patience_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="stallTimeout must be longer than nothing"):
        StoreLimits(stall_timeout="0s")
