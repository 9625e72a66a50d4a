"""The store: nothing is seen before it is on disk, nothing on disk is forgotten, no revision is used twice."""

import asyncio
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from strongroom.apiserver.storage.errors import ExpiredError, StaleError, StorageFailedError
from strongroom.apiserver.storage.records import Key, Stored
from strongroom.apiserver.storage.store import Store


def key(name: str, namespace: str = "d", resource: str = "widgets.demo.dev") -> Key:
    return Key(resource, namespace, name)


def build(name: str, **fields) -> dict:
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, **fields}


@asynccontextmanager
async def opened(path: Path, **options) -> AsyncIterator[Store]:
    store = Store(path, **options)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(tmp_path):
    async with opened(tmp_path / "db") as running:
        yield running


def names(stored: list[Stored]) -> list[str]:
    return [one.key.name for one in stored]


async def test_what_is_written_can_be_read_in_order(store):
    for name in ("b", "a", "c"):
        made = await store.create(key(name), build(name))
        assert made.object["metadata"]["resourceVersion"] == str(made.revision) == str(store.revision)
    await store.create(key("z", "other"), build("z"))
    assert names(store.items("widgets.demo.dev")) == ["a", "b", "c", "z"]
    assert names(store.items("widgets.demo.dev", "other")) == ["z"]
    assert store.get(key("nope")) is None


async def test_a_taken_key_and_a_lost_race_are_refused(store):
    made = await store.create(key("a"), build("a"))
    with pytest.raises(StaleError):
        await store.create(key("a"), build("a"))
    await store.update(made, build("a", x=1))
    with pytest.raises(StaleError):
        await store.update(made, build("a", x=2))
    with pytest.raises(StaleError):
        await store.delete(made)
    assert store.get(key("a")).object["x"] == 1
    assert [event.operation for event in await store.events("widgets.demo.dev", made.revision - 1)] == [
        "ADDED",
        "MODIFIED",
    ]


async def test_of_many_racing_writers_one_wins(store):
    made = await store.create(key("a"), build("a"))
    results = await asyncio.gather(
        *(store.update(made, build("a", x=n)) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, Stored) for one in results) == 1
    assert sum(isinstance(one, StaleError) for one in results) == 19


async def test_events_tell_every_change_with_what_was_before(store):
    start = store.revision
    made = await store.create(key("a"), build("a"))
    changed = await store.update(made, build("a", x=1))
    gone = await store.delete(changed)
    events = await store.events("widgets.demo.dev", start)
    assert [event.operation for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event.revision for event in events] == [made.revision, changed.revision, gone.revision]
    assert [event.previous and event.previous.revision for event in events] == [
        None,
        made.revision,
        changed.revision,
    ]
    assert gone.object["metadata"]["resourceVersion"] == str(gone.revision)
    assert await store.events("widgets.demo.dev", gone.revision) == []
    assert await store.events("secrets", start) == []


async def test_a_snapshot_shows_an_earlier_moment(store):
    moments = [store.revision]
    a = await store.create(key("a"), build("a"))
    moments.append(a.revision)
    b = await store.create(key("b"), build("b"))
    moments.append(b.revision)
    moments.append((await store.update(a, build("a", x=1))).revision)
    moments.append((await store.delete(b)).revision)
    shown = [await store.snapshot("widgets.demo.dev", "", moment) for moment in moments]
    assert [names(one) for one in shown] == [[], ["a"], ["a", "b"], ["a", "b"], ["a"]]
    assert [one[0].object.get("x") for one in shown[1:]] == [None, None, 1, 1]


async def test_state_and_history_survive_a_restart(tmp_path):
    async with opened(tmp_path / "db") as store:
        start = store.revision
        made = await store.create(key("a"), build("a", text="ö\u0000\U0001f600"))
        await store.create(key("b"), build("b"))
        await store.delete(store.get(key("b")))
        last = store.revision
    async with opened(tmp_path / "db") as store:
        assert store.get(key("a")).object == made.object
        assert store.revision > last
        assert [event.operation for event in await store.events("widgets.demo.dev", start)] == [
            "ADDED",
            "ADDED",
            "DELETED",
        ]
        assert await store.events("widgets.demo.dev", last) == []


async def test_a_restored_backup_never_passes_for_the_present(tmp_path):
    """What clients saw after the backup is gone; a watch from there must be told so, not left to diverge."""
    async with opened(tmp_path / "db", now_ms=1000) as store:
        kept = await store.create(key("a"), build("a"))
    shutil.copy(tmp_path / "db", tmp_path / "backup")
    async with opened(tmp_path / "db", now_ms=2000) as store:
        lost = await store.create(key("b"), build("b"))
    async with opened(tmp_path / "backup", now_ms=3000) as store:
        fresh = await store.create(key("c"), build("c"))
        assert fresh.revision > lost.revision
        with pytest.raises(ExpiredError, match="too old resource version"):
            await store.events("widgets.demo.dev", lost.revision)
        assert [
            event.current.key.name for event in await store.events("widgets.demo.dev", kept.revision)
        ] == ["c"]


async def test_revisions_rise_even_when_the_clock_falls(tmp_path):
    async with opened(tmp_path / "db", now_ms=5000) as store:
        made = await store.create(key("a"), build("a"))
    async with opened(tmp_path / "db", now_ms=1000) as store:
        assert store.revision > made.revision


async def test_the_future_is_refused_like_the_forgotten(store):
    with pytest.raises(ExpiredError):
        await store.events("widgets.demo.dev", store.revision + 1)
    with pytest.raises(ExpiredError):
        await store.events("widgets.demo.dev", 1)


async def test_compaction_forgets_history_and_no_object(tmp_path):
    async with opened(tmp_path / "db") as store:
        start = store.revision
        for number in range(1200):
            await store.create(key(f"n{number}"), build(f"n{number}"))
        kept = store.revision
    async with opened(tmp_path / "db") as store:
        target = await store.compact(older_than_ms=-1000, keep_rows=100)
        assert start < target < kept
        assert len(store.items("widgets.demo.dev")) == 1200
        with pytest.raises(ExpiredError):
            await store.events("widgets.demo.dev", target - 1)
        assert len(await store.events("widgets.demo.dev", target)) == 100
        assert await store.compact() == 0
    async with opened(tmp_path / "db") as store:
        assert len(store.items("widgets.demo.dev")) == 1200


async def test_history_longer_than_memory_is_read_from_the_log(store, monkeypatch):
    monkeypatch.setattr("strongroom.apiserver.storage.history.KEPT_EVENTS", 5)
    start = store.revision
    for number in range(40):
        await store.create(key(f"n{number:02}"), build(f"n{number:02}"))
    assert store.ring("widgets.demo.dev").floor > start
    assert [event.current.key.name for event in await store.events("widgets.demo.dev", start)] == [
        f"n{n:02}" for n in range(40)
    ]
    assert await store.snapshot("widgets.demo.dev", "", start) == []


async def test_a_refused_commit_leaves_no_trace(store):
    made = await store.create(key("a"), build("a"))
    start = store.revision
    await store._task(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone()[0])
    with pytest.raises(StorageFailedError, match="full"):
        await asyncio.gather(
            *(store.create(key(f"b{n}"), build(f"b{n}", text="x" * 100_000)) for n in range(3))
        )
    assert names(store.items("widgets.demo.dev")) == ["a"]
    assert store.revision == start
    await store._task(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone()[0])
    changed = await store.update(made, build("a", x=1))
    assert [event.current.revision for event in await store.events("widgets.demo.dev", start)] == [
        changed.revision
    ]


async def test_watchers_wake_once_the_change_is_on_disk(store, tmp_path):
    reader = sqlite3.connect(tmp_path / "db")
    with store.ring("widgets.demo.dev").watcher() as wake:
        made = await store.create(key("a"), build("a"))
        assert wake.is_set()
        assert reader.execute("SELECT rv FROM log").fetchall() == [(made.revision,)]
    reader.close()


def test_the_file_is_for_its_owner_only(tmp_path):
    async def write() -> None:
        async with opened(tmp_path / "db") as store:
            await store.create(key("a"), build("a"))
            for file in tmp_path.iterdir():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file

    asyncio.run(write())


def test_a_file_of_another_format_is_not_touched(tmp_path):
    async def once() -> None:
        async with opened(tmp_path / "db"):
            pass

    asyncio.run(once())
    with sqlite3.connect(tmp_path / "db") as db:
        db.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
    db.close()
    with pytest.raises(RuntimeError, match="format 99"):
        asyncio.run(once())
