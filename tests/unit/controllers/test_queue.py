"""The reconcile queue: what is added, tried again and ended."""

import asyncio

from strongroom.controllers.keys import Key
from strongroom.controllers.queue import ReconcileQueue
from strongroom.kube.kinds import RUNS

KEY = Key(RUNS, "shop", "nightly")


async def test_however_often_a_key_fails_one_retry_waits():
    queue = ReconcileQueue()
    pauses = [queue.retry(KEY) for _ in range(12)]
    assert pauses[0] < 0.26
    assert 22 < pauses[-1] <= 30
    assert len(queue._retries) == 1
    queue.wake_at(KEY, None)
    assert not queue._retries
    assert queue.retry(KEY) < 0.26


async def test_a_server_that_asks_for_patience_is_given_it_within_reason():
    queue = ReconcileQueue()
    assert queue.retry(KEY, 7) == 7
    assert queue.retry(KEY, 3600) == 30
    queue.wake_at(KEY, None)


async def test_closing_waits_for_what_is_at_work_and_hands_out_nothing_more():
    queue = ReconcileQueue()
    queue.add(KEY)
    taken = await queue.take()
    queue.add(Key(RUNS, "shop", "other"))
    closing = asyncio.create_task(queue.close())
    waiting = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not closing.done()
    queue.done(taken)
    await asyncio.wait_for(closing, 5)
    assert not waiting.done()
    waiting.cancel()
