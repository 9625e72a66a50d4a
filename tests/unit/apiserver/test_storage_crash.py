"""Kill -9 at any moment: every acknowledged write is there afterwards, and history has no hole."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from strongroom.apiserver.storage.store import Store

KILLS = 12
KEPT = 3000
"""Rows that compaction leaves: of what is older nobody may ask."""
WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from strongroom.apiserver.storage.records import Key
from strongroom.apiserver.storage.store import Store

async def work(store, worker, generation):
    for number in itertools.count():
        name = f"{generation}-{worker}-{number}"
        key = Key("widgets.demo.dev", "d", name)
        made = await store.create(key, {"metadata": {"name": name, "uid": name}, "x": 0})
        print(made.revision, "ADDED", name, flush=True)
        changed = await store.update(made, {"metadata": {"name": name, "uid": name}, "x": 1})
        print(changed.revision, "MODIFIED", name, flush=True)
        if number % 3 == 0:
            gone = await store.delete(changed)
            print(gone.revision, "DELETED", name, flush=True)

async def main():
    store = Store(Path(sys.argv[1]))
    print(store.revision, "START", "-", flush=True)
    compacting = asyncio.create_task(store.compact(older_than_ms=-1000, keep_rows=int(sys.argv[3])))
    await asyncio.gather(compacting, *(work(store, worker, sys.argv[2]) for worker in range(4)))

asyncio.run(main())
"""


def run_and_kill(path: Path, generation: int, seconds: float) -> list[tuple[int, str, str]]:
    """What a writer had acknowledged when it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(generation), str(KEPT)],
        stdout=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline()  # it is at work
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    lines = (first + process.communicate()[0]).splitlines(keepends=True)
    complete = [line.split() for line in lines if line.endswith("\n")]
    return [(int(revision), operation, name) for revision, operation, name in complete]


def test_no_acknowledged_write_is_lost_by_kill_9(tmp_path):
    path = tmp_path / "db"
    chance = random.Random(7)
    acknowledged: list[tuple[int, str, str]] = []
    for generation in range(KILLS):
        lines = run_and_kill(path, generation, chance.uniform(0.02, 0.25))
        start = lines[0][0]
        assert not acknowledged or start > acknowledged[-1][0], "a revision could be used twice"
        acknowledged += sorted(line for line in lines if line[1] != "START")
    assert len(acknowledged) > 50

    async def check() -> None:
        store = Store(path)
        try:
            state = {name: operation for _, operation, name in acknowledged}
            for name, operation in state.items():
                stored = next((one for one in store.items("widgets.demo.dev") if one.key.name == name), None)
                if operation == "DELETED":
                    assert stored is None, name
                elif stored is not None:
                    assert stored.object["x"] >= (operation == "MODIFIED"), name
                else:
                    # Deleted, but killed before it could say so: only a key that was due to be deleted may be gone.
                    assert operation == "MODIFIED", name
                    assert int(name.rpartition("-")[2]) % 3 == 0, name
            middle = acknowledged[-min(KEPT, len(acknowledged)) // 2][0]
            events = [
                (e.revision, e.operation, e.current.key.name)
                for e in await store.events("widgets.demo.dev", middle)
            ]
            assert {one for one in acknowledged if one[0] > middle} <= set(events)
            assert events == sorted(events)
            replayed = {one.key: one.object for one in await store.snapshot("widgets.demo.dev", "", middle)}
            for event in await store.events("widgets.demo.dev", middle):
                if event.operation == "DELETED":
                    del replayed[event.current.key]
                else:
                    replayed[event.current.key] = event.current.object
            assert json.dumps(sorted(replayed.items())) == json.dumps(
                sorted((one.key, one.object) for one in store.items("widgets.demo.dev"))
            )
        finally:
            await store.close()

    asyncio.run(check())
