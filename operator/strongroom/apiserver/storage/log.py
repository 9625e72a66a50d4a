"""Reading the log by its own connection, beside the writer: for watches older than memory, and for the first load."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from strongroom.apiserver.storage.errors import ExpiredError
from strongroom.apiserver.storage.records import Event, Key, Stored


class LogReader:
    """Blocking reads; call them in a thread."""

    def __init__(self, path: Path) -> None:
        """Open read-only; WAL lets it read while the writer commits."""
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()

    def load(self) -> Iterator[Stored]:
        """Every current object."""
        with self._lock:
            for res, ns, name, rv, obj in self._db.execute("SELECT res, ns, name, rv, obj FROM cur"):
                yield Stored(Key(res, ns, name), rv, json.loads(obj), bytes(obj))

    def events(self, resource: str, after: int, until: int) -> list[Event]:
        """Events of a resource with after < rv <= until.

        Raises ExpiredError when the log no longer reaches back to `after`.
        """
        with self._lock:
            self._db.execute("BEGIN")  # one snapshot for both questions, or compaction slips between
            try:
                self._check(after)
                rows = self._db.execute(
                    "SELECT rv, ns, name, op, obj, prev_rv, prev FROM log WHERE res=? AND rv>? AND rv<=? ORDER BY rv",
                    (resource, after, until),
                ).fetchall()
            finally:
                self._db.execute("COMMIT")
        return [_event(resource, row) for row in rows]

    def _check(self, revision: int) -> None:
        (compacted,) = self._db.execute("SELECT value FROM meta WHERE name='compact_rv'").fetchone()
        lost = self._db.execute(
            "SELECT start_rv FROM epoch WHERE prev_end_rv < ? AND ? < start_rv", (revision, revision)
        ).fetchone()
        if revision < compacted or lost:
            raise ExpiredError(revision, max(compacted, *(lost or (0,))))


def _event(resource: str, row: tuple[int, str, str, str, bytes, int | None, bytes | None]) -> Event:
    rv, ns, name, operation, obj, prev_rv, prev = row
    key = Key(resource, ns, name)
    previous = (
        None if prev is None or prev_rv is None else Stored(key, prev_rv, json.loads(prev), bytes(prev))
    )
    return Event(rv, operation, Stored(key, rv, json.loads(obj), bytes(obj)), previous)  # type: ignore[arg-type]
