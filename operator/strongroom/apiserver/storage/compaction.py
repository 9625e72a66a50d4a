"""Forgetting old changes: rows of the log that are older than watches may reach, in batches that never hold the writer long."""

import sqlite3
from collections.abc import Callable

BATCH_ROWS = 500
KEPT_ROWS = 1000
KEPT_MS = 600_000


def find_target(db: sqlite3.Connection, *, before_ms: int, keep_rows: int = KEPT_ROWS) -> int:
    """The revision up to which the log may go: everything older than `before_ms`, but never the newest `keep_rows` rows."""
    row = db.execute("SELECT rv FROM log ORDER BY rv DESC LIMIT 1 OFFSET ?", (keep_rows,)).fetchone()
    if row is None:
        return 0
    (old,) = db.execute("SELECT coalesce(max(rv), 0) FROM log WHERE at_ms < ?", (before_ms,)).fetchone()
    return int(min(row[0], old))


def compact_step(target: int) -> Callable[[sqlite3.Connection], bool]:
    """One batch towards `target`; says whether more is left.

    The mark moves in the same commit as the rows go, so a watch never reads a log with a hole.
    """

    def step(db: sqlite3.Connection) -> bool:
        rows = db.execute(
            "SELECT rv FROM log WHERE rv <= ? ORDER BY rv LIMIT ?", (target, BATCH_ROWS)
        ).fetchall()
        if not rows:
            return False
        edge = rows[-1][0]
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE meta SET value = max(value, ?) WHERE name='compact_rv'", (edge,))
        db.execute("DELETE FROM log WHERE rv <= ?", (edge,))
        db.execute(
            "DELETE FROM epoch WHERE start_rv <= ? AND start_rv < (SELECT max(start_rv) FROM epoch)", (edge,)
        )
        db.execute("COMMIT")
        return len(rows) == BATCH_ROWS

    return step
