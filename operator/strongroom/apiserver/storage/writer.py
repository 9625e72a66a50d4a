"""The one writer: a thread that turns queued writes into commits, many to one fsync when many are waiting."""

import asyncio
import itertools
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from strongroom.apiserver.storage.errors import StaleError, StorageFailedError
from strongroom.apiserver.storage.records import Event

LARGEST_GROUP = 128
Outcome = list[tuple["Write", Exception | None]]


@dataclass(slots=True)
class Write:
    """One change that waits for its commit; `future` gets the event, or the reason why it did not happen."""

    event: Event
    at_ms: int
    future: "asyncio.Future[Event]"


@dataclass(slots=True)
class Task:
    """Other work that needs the writer's connection, such as compaction."""

    run: Callable[[sqlite3.Connection], Any]
    future: "asyncio.Future[Any]"


class Writer:
    """Owns the connection. `publish` is called in the event loop, once per commit, in the order of revisions."""

    def __init__(self, db: sqlite3.Connection, publish: Callable[[Outcome], None]) -> None:
        """Start the thread."""
        self._db = db
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Write | Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="apiserver-writer", daemon=True)
        self._thread.start()

    def submit(self, item: Write | Task) -> None:
        """Queue it; the order of submission is the order of commits."""
        self._queue.put(item)

    async def close(self) -> None:
        """Commit what is queued, then close the file."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        ended = False
        while not ended:
            batch = self._take()
            for kind, items in itertools.groupby(batch, key=type):
                same = list(items)
                if kind is Write:
                    self._hand_over(self._commit(cast("list[Write]", same)))
                elif kind is Task:
                    for task in cast("list[Task]", same):
                        self._run(task)
            ended = None in batch
        self._db.close()

    def _take(self) -> "list[Write | Task | None]":
        """Wait for one item, then take what already waits behind it."""
        batch = [self._queue.get()]
        while len(batch) < LARGEST_GROUP and batch[-1] is not None:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _commit(self, group: Sequence[Write]) -> Outcome:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            outcome: Outcome = [(write, self._apply(write)) for write in group]
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            failure = StorageFailedError(str(error))
            return [(write, failure) for write in group]
        return outcome

    def _apply(self, write: Write) -> Exception | None:
        """Check that the object is where its writer saw it, then change `cur` and append to the log."""
        event, current, previous = write.event, write.event.current, write.event.previous
        key = tuple(current.key)
        if event.operation == "ADDED":
            row = (*key, current.object["metadata"]["uid"], current.revision, current.encoded)
            done = self._db.execute("INSERT OR IGNORE INTO cur VALUES (?,?,?,?,?,?)", row)
        elif event.operation == "MODIFIED":
            done = self._db.execute(
                "UPDATE cur SET rv=?, obj=? WHERE res=? AND ns=? AND name=? AND rv=?",
                (current.revision, current.encoded, *key, previous and previous.revision),
            )
        else:
            done = self._db.execute(
                "DELETE FROM cur WHERE res=? AND ns=? AND name=? AND rv=?",
                (*key, previous and previous.revision),
            )
        if done.rowcount != 1:
            return StaleError("/".join(key))
        before = (previous.revision, previous.encoded) if previous else (None, None)
        self._db.execute(
            "INSERT INTO log(rv, at_ms, res, ns, name, op, obj, prev_rv, prev) VALUES (?,?,?,?,?,?,?,?,?)",
            (event.revision, write.at_ms, *key, event.operation, current.encoded, *before),
        )
        return None

    def _run(self, task: Task) -> None:
        try:
            result, error = task.run(self._db), None
        except sqlite3.Error as failure:
            result, error = None, StorageFailedError(str(failure))
        self._loop.call_soon_threadsafe(_settle, task.future, result, error)

    def _hand_over(self, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self._publish, outcome)


def _settle(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
