from datetime import UTC, datetime, timedelta

import pytest

from strongroom.kube.kinds import LEASES
from strongroom.kube.leases import LeaseLock

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def contend(client, namespace):
    clocks = {}

    def lock(identity):
        clocks[identity] = Clock()
        return LeaseLock(client, namespace, "it", identity, 40, monotonic=clocks[identity]), clocks[identity]

    return lock


async def test_the_first_holds_it_and_the_second_waits(contend):
    (first, _), (second, _) = contend("first"), contend("second")
    assert await first.acquire_or_renew(NOW)
    assert not await second.acquire_or_renew(NOW)
    assert (first.is_held, second.is_held, second.holder) == (True, False, "first")


async def test_a_stale_one_is_taken_over_with_a_new_generation(contend):
    (first, _), (second, clock) = contend("first"), contend("second")
    assert await first.acquire_or_renew(NOW)
    assert not await second.acquire_or_renew(NOW)
    clock.now += 39
    assert not await second.acquire_or_renew(NOW)
    clock.now += 1
    assert await second.acquire_or_renew(NOW)
    assert second.transitions == first.transitions + 1
    assert not await first.acquire_or_renew(NOW)
    assert not first.is_held


async def test_one_that_is_renewed_is_not_stale(contend):
    (first, _), (second, clock) = contend("first"), contend("second")
    for turn in range(3):
        assert await first.acquire_or_renew(NOW + timedelta(seconds=39 * turn))
        assert not await second.acquire_or_renew(NOW)
        clock.now += 39


async def test_a_holder_that_cannot_renew_stops_in_time(contend):
    lock, clock = contend("first")
    assert await lock.acquire_or_renew(NOW)
    clock.now += 39.9
    assert lock.is_held
    clock.now += 0.1
    assert not lock.is_held


async def test_a_restarted_holder_goes_on_at_once(contend):
    assert await contend("first")[0].acquire_or_renew(NOW)
    again, _ = contend("first")
    assert await again.acquire_or_renew(NOW)
    assert again.transitions == 0


async def test_a_released_one_is_free_at_once(contend):
    (first, _), (second, _) = contend("first"), contend("second")
    assert await first.acquire_or_renew(NOW)
    await second.release()
    assert not await second.acquire_or_renew(NOW)
    await first.release()
    assert await second.acquire_or_renew(NOW)
    assert second.transitions == 1


async def test_it_looks_as_kubernetes_writes_it(contend, client, namespace):
    lock, _ = contend("first")
    await lock.acquire_or_renew(NOW)
    found = await client.get(LEASES, namespace, "it")
    assert found["spec"] == {
        "holderIdentity": "first",
        "leaseDurationSeconds": 40,
        "acquireTime": "2026-11-22T02:00:00.000000Z",
        "renewTime": "2026-11-22T02:00:00.000000Z",
        "leaseTransitions": 0,
    }
