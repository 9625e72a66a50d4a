"""A folder on an SSH server as a store, by rsync."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from strongroom.stores.keys import UNFINISHED_PREFIX, checked, is_key
from strongroom.stores.rsync.downloading import RsyncReader
from strongroom.stores.rsync.rules import Entry
from strongroom.stores.rsync.runs import Runs
from strongroom.stores.rsync.uploading import RsyncWriter
from strongroom.stores.store import StoredKey, StoreProbe


class RsyncFolder:
    """See Store. Its folder is never made. It has no claims and knows no free space: rsync tells of neither."""

    def __init__(self, runs: Runs) -> None:
        """Touch nothing yet."""
        self._runs = runs

    def probe(self) -> StoreProbe:
        """See Store. A folder is made and removed."""
        name = f"{UNFINISHED_PREFIX}{secrets.token_hex(12)}"
        self._runs.look(name)
        self._runs.make_folder(name)
        self._runs.remove([], [name], most=1)
        return StoreProbe(frozenset(), None)

    def claim(self, prefix: str) -> AbstractContextManager[None]:
        """See Store."""
        checked(prefix.removesuffix("/"))
        return nullcontext()

    def create(self, key: str) -> RsyncWriter:
        """See Store."""
        return RsyncWriter(self._runs, checked(key))

    def open(self, key: str) -> RsyncReader:
        """See Store."""
        return RsyncReader(self._runs, checked(key))

    def look(self, key: str) -> StoredKey | None:
        """See Store."""
        found = self._runs.look(checked(key))
        return next((_stored(entry) for entry in found if entry.path == key and entry.kind == "-"), None)

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """See Store. The listing is whole before its first key is given."""
        found = [
            _stored(entry)
            for entry in self._runs.below(prefix.rpartition("/")[0])
            if entry.path.startswith(prefix) and entry.kind == "-" and is_key(entry.path)
        ]
        yield from sorted(found, key=lambda stored: stored.key)

    def delete(self, key: str) -> None:
        """See Store. Folders that become empty go too. Durable as far as the server makes it: rsync syncs no folder."""
        self._runs.remove([checked(key)], [], most=1 + key.count("/"))

    def sweep(self, prefix: str, before: datetime) -> int:
        """See Store. Empty folders under the prefix go too. The age is by the server's clock."""
        entries = self._runs.below(prefix.rpartition("/")[0])
        newest: dict[str, datetime] = {}
        for entry in entries:
            if (top := _unfinished(entry.path)) is not None and top.startswith(prefix):
                newest[top] = max(entry.modified, newest.get(top, entry.modified))
        dead = [top for top, modified in newest.items() if modified < before]
        empty = [path for path in _empty(entries, before) if path.startswith(prefix)]
        if dead or empty:
            self._runs.remove(empty, dead, most=len(entries))
        return len(dead)


def _stored(entry: Entry) -> StoredKey:
    return StoredKey(entry.path, entry.size, entry.modified)


def _unfinished(path: str) -> str | None:
    """The folder of a writer that a path is, or is in."""
    parts = path.split("/")
    place = next((n for n, part in enumerate(parts) if part.startswith(UNFINISHED_PREFIX)), None)
    return None if place is None else "/".join(parts[: place + 1])


def _empty(entries: Sequence[Entry], before: datetime) -> list[str]:
    full = {entry.path.rpartition("/")[0] for entry in entries}
    return [e.path for e in entries if e.kind == "d" and e.path not in full and e.modified < before and _unfinished(e.path) is None]  # fmt: skip
