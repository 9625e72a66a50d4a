"""Where do objects live? One append-only log in SQLite, one writer, the current state in memory, and the history that watches read.

Belongs here: durability, revisions, snapshots, compaction.
Forbidden: HTTP, and any meaning of an object beyond its key, its uid and its resourceVersion.
"""
