"""The SQLite file: its tables, and the start of an epoch, which keeps revisions from ever being used twice.

log    one row per change, the truth of what happened; prev is kept for watchers whose selector the object leaves
cur    the current state, a fold of the log that survives its compaction
epoch  one row per start of the server: revisions strictly between prev_end_rv and start_rv were never written by this
       file, or were lost with it (a restored backup), so a watch from there must begin anew
meta   compact_rv: changes up to it are gone from the log
"""

import os
import sqlite3
from pathlib import Path

TABLES = """
CREATE TABLE IF NOT EXISTS log(
    rv INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, res TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL,
    op TEXT NOT NULL, obj BLOB NOT NULL, prev_rv INTEGER, prev BLOB);
CREATE INDEX IF NOT EXISTS log_by_resource ON log(res, rv);
CREATE TABLE IF NOT EXISTS cur(
    res TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL, rv INTEGER NOT NULL, obj BLOB NOT NULL,
    UNIQUE(res, ns, name));
CREATE TABLE IF NOT EXISTS epoch(start_rv INTEGER PRIMARY KEY, prev_end_rv INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('compact_rv', 0), ('format', 1);
"""
FORMAT = 1


def connect(path: Path, *, durable: bool = True) -> sqlite3.Connection:
    """Open the file for the one writer: WAL, and an fsync per commit unless `durable` is false (tests of speed only)."""
    # The file holds secrets: it is made unreadable to others before SQLite writes a byte.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    db.execute("PRAGMA locking_mode=NORMAL")
    db.executescript(TABLES)
    (found,) = db.execute("SELECT value FROM meta WHERE name='format'").fetchone()
    if found != FORMAT:
        raise RuntimeError(f"{path} is of format {found}, this version reads {FORMAT}")
    return db


def begin_epoch(db: sqlite3.Connection, now_ms: int) -> int:
    """Jump to a revision that no earlier life of this file can have handed out, and record the jump.

    The wall clock in milliseconds rises faster than any host writes, so it passes also what a lost tail had handed out.
    """
    (logged,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='log'").fetchone()
    (begun,) = db.execute("SELECT coalesce(max(start_rv), 0) FROM epoch").fetchone()
    last = max(logged, begun)
    start = int(max(last + 1, now_ms))
    db.execute("INSERT INTO epoch VALUES (?, ?)", (start, last))
    return start
