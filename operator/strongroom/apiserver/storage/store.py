"""The store: current state in memory, every change committed before anybody sees it.

Contract: `create`, `update` and `delete` return only after the change is on disk; a change that raises has not happened.
Revisions rise by one sequence for all resources and are never used twice, whatever happens to the process or the file.
"""

import asyncio
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from weakref import WeakValueDictionary

from strongroom.apiserver.storage import compaction, tables
from strongroom.apiserver.storage.errors import ExpiredError
from strongroom.apiserver.storage.history import Ring, undo
from strongroom.apiserver.storage.log import LogReader
from strongroom.apiserver.storage.records import Event, Key, Object, Operation, Stored, encode
from strongroom.apiserver.storage.writer import Outcome, Task, Write, Writer


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Store:
    """Lives in one event loop; only the writer's thread and log reads are elsewhere."""

    def __init__(self, path: Path, *, durable: bool = True, now_ms: int | None = None) -> None:
        """Open the file, begin an epoch and load the current state (blocking; 10,000 objects take about 0.2 s)."""
        db = tables.connect(path, durable=durable)
        self._start = tables.begin_epoch(db, _now_ms() if now_ms is None else now_ms)
        self._reader = LogReader(path)
        self._objects: dict[str, dict[Key, Stored]] = defaultdict(dict)
        for stored in self._reader.load():
            self._objects[stored.key.resource][stored.key] = stored
        self._rings: dict[str, Ring] = {}
        self._listeners: list[Callable[[Event], None]] = []
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._revision = self._issued = self._start
        self._writer = Writer(db, self._publish)

    @property
    def revision(self) -> int:
        """The newest revision that anybody may know."""
        return self._revision

    def lock(self, key: Key) -> asyncio.Lock:
        """Held while an object is read, changed and committed."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    def get(self, key: Key) -> Stored | None:
        """The object, or None."""
        return self._objects[key.resource].get(key)

    def items(self, resource: str, namespace: str = "") -> list[Stored]:
        """The objects of a resource (of one namespace, or all) in the order of their keys."""
        return select(self._objects[resource].values(), namespace)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` in the event loop with every committed event, in order; it must not block or raise."""
        self._listeners.append(listener)

    def resources(self) -> list[str]:
        """Resources that hold an object."""
        return [name for name, objects in self._objects.items() if objects]

    def reread(self, resource: str, read: Callable[[Object], Object]) -> None:
        """Show the current objects as `read` reads them from now on; disk and revisions stay as they are."""
        objects = self._objects[resource]
        for key, stored in objects.items():
            obj = read(stored.object)
            if obj != stored.object:
                objects[key] = Stored(key, stored.revision, obj, encode(obj))

    async def snapshot(self, resource: str, namespace: str, revision: int) -> list[Stored]:
        """The objects as they were at `revision`. Raises ExpiredError."""
        events = await self.events(resource, revision)
        # No await since: what `events` saw last is what memory holds now.
        return select(undo(self._objects[resource], events).values(), namespace)

    async def create(self, key: Key, obj: Object) -> Stored:
        """Add an object. Raises StaleError when the key is taken."""
        return await self._write("ADDED", key, obj, None)

    async def update(self, old: Stored, obj: Object) -> Stored:
        """Replace what was read as `old`. Raises StaleError when it has changed since."""
        return await self._write("MODIFIED", old.key, obj, old)

    async def delete(self, old: Stored, last: Object | None = None) -> Stored:
        """Remove what was read as `old`; `last` is its final state, if that differs."""
        return await self._write("DELETED", old.key, last or old.object, old)

    async def events(self, resource: str, after: int) -> list[Event]:
        """Every event of a resource after a revision, up to now. Raises ExpiredError."""
        if after > self._revision:
            raise ExpiredError(after, self._revision)
        ring = self.ring(resource)
        older: list[Event] = []
        while after < ring.floor:
            # Read up to the floor; memory may drop more meanwhile, so look again.
            floor = ring.floor
            older += await asyncio.to_thread(self._reader.events, resource, after, floor)
            after = floor
        return older + ring.after(after)

    def ring(self, resource: str) -> Ring:
        """The newest events of a resource."""
        ring = self._rings.get(resource)
        if ring is None:
            ring = self._rings[resource] = Ring(self._start)
        return ring

    def wake(self) -> None:
        """Let every watcher look again."""
        for ring in self._rings.values():
            ring.wake()

    async def flush(self) -> None:
        """Return when everything submitted before is committed."""
        await self._task(lambda db: db.total_changes)

    async def compact(
        self, *, older_than_ms: int = compaction.KEPT_MS, keep_rows: int = compaction.KEPT_ROWS
    ) -> int:
        """Forget old changes; returns the revision up to which they are gone (0: nothing was old enough)."""
        before = _now_ms() - older_than_ms
        target: int = await self._task(
            lambda db: compaction.find_target(db, before_ms=before, keep_rows=keep_rows)
        )
        while target and await self._task(compaction.compact_step(target)):
            pass
        return target

    async def close(self) -> None:
        """Commit what is queued and close."""
        self.wake()
        # The writer goes last: whoever closes last folds the WAL into the file, and only the writer may.
        self._reader.close()
        await self._writer.close()

    async def _task(self, run: Callable[[sqlite3.Connection], int]) -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._writer.submit(Task(run, future))
        return await future

    async def _write(self, operation: Operation, key: Key, obj: Object, old: Stored | None) -> Stored:
        self._issued += 1
        event = Event(self._issued, operation, Stored.build(key, self._issued, obj), old)
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._writer.submit(Write(event, _now_ms(), future))
        return (await future).current

    def _publish(self, outcome: Outcome) -> None:
        """After a commit: change memory, then tell writers and watchers, in the order of revisions."""
        woken = set()
        for write, error in outcome:
            if error is None:
                self._fold(write.event)
                woken.add(write.event.current.key.resource)
            if not write.future.done():
                if error is None:
                    write.future.set_result(write.event)
                else:
                    write.future.set_exception(error)
        for resource in woken:
            self._rings[resource].wake()
        # Last, so that a listener's fault cannot leave memory behind the disk.
        for write, error in outcome:
            for listener in self._listeners if error is None else ():
                listener(write.event)

    def _fold(self, event: Event) -> None:
        objects = self._objects[event.current.key.resource]
        if event.operation == "DELETED":
            objects.pop(event.current.key, None)
        else:
            objects[event.current.key] = event.current
        self._revision = event.revision
        self.ring(event.current.key.resource).append(event)


def select(objects: Iterable[Stored], namespace: str) -> list[Stored]:
    """Those of one namespace, or all, in the order of their keys."""
    return sorted((s for s in objects if not namespace or s.key.namespace == namespace), key=lambda s: s.key)
