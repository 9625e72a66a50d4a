"""A folder on this machine.

A key is written to a file of its own in the key's folder, synced, published by a hard link that never replaces, and
the folders are synced. Every step below the root goes through folder descriptors without following symbolic links,
so that nothing planted in the folder can lead out of it.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.keys import LOST_AND_FOUND, UNFINISHED_PREFIX, checked, is_key
from strongroom.stores.localclaims import claimed
from strongroom.stores.localfiles import LocalReader, LocalWriter
from strongroom.stores.localfolders import Folders, store_error
from strongroom.stores.store import Capability, KeyMissingError, StoredKey, StoreProbe


class LocalStore:
    """See Store. The root is never made, and may itself be a symbolic link: that is the administrator's word."""

    def __init__(self, root: str | Path) -> None:
        """Remember the root; touch nothing."""
        self._root = Path(root)
        self._folders = Folders(self._root)

    def probe(self) -> StoreProbe:
        """See Store."""
        folder = self._folders.open_root()
        try:
            space = os.fstatvfs(folder)
            if space.f_flag & os.ST_RDONLY:
                raise StrongroomError(
                    Reason.StoreReadOnly, f"local.path {self._root} is on a read-only file system"
                )
            if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
                raise StrongroomError(
                    Reason.StoreReadOnly,
                    f"local.path {self._root} may not be written by user id {os.geteuid()}",
                )
            return StoreProbe(
                capabilities=frozenset({Capability.FREE_SPACE, Capability.HARD_LINKS, Capability.CLAIMS}),
                free_bytes=space.f_bavail * space.f_frsize,
            )
        finally:
            os.close(folder)

    def claim(self, prefix: str) -> AbstractContextManager[None]:
        """See Store."""
        folder = checked(prefix.removesuffix("/"))
        return claimed(self._folders, folder, self._root / folder)

    def create(self, key: str) -> LocalWriter:
        """See Store."""
        folder, name = self._folders.open_parent(checked(key), make=True)
        try:
            writer = None if _exists(folder, name) else LocalWriter(folder, name, self._root / key)
        except OSError as error:
            os.close(folder)
            raise store_error(error, self._root / key) from error
        if writer is None:
            os.close(folder)
            raise StrongroomError(Reason.KeyExists, f"{key} exists already in local.path {self._root}")
        return writer

    def open(self, key: str) -> LocalReader:
        """See Store."""
        try:
            folder, name = self._folders.open_parent(checked(key), make=False)
        except FileNotFoundError as error:
            raise KeyMissingError(key) from error
        try:
            return LocalReader(folder, name, self._root / key)
        except FileNotFoundError as error:
            raise KeyMissingError(key) from error
        except OSError as error:
            raise store_error(error, self._root / key) from error
        finally:
            os.close(folder)

    def look(self, key: str) -> StoredKey | None:
        """See Store."""
        try:
            folder, name = self._folders.open_parent(checked(key), make=False)
        except FileNotFoundError:
            return None
        try:
            entry = os.lstat(name, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_error(error, self._root / key) from error
        finally:
            os.close(folder)
        return _stored(key, entry) if stat.S_ISREG(entry.st_mode) else None

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """See Store."""
        start = prefix.rpartition("/")[0]
        for path, entry in self._walk(start):
            if path.startswith(prefix) and stat.S_ISREG(entry.st_mode) and is_key(path):
                yield _stored(path, entry)

    def delete(self, key: str) -> None:
        """See Store. Folders that become empty go too."""
        try:
            folder, name = self._folders.open_parent(checked(key), make=False)
        except FileNotFoundError:
            return
        try:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            os.fsync(folder)
        except OSError as error:
            raise store_error(error, self._root / key) from error
        finally:
            os.close(folder)
        self._folders.remove_empty(key.rpartition("/")[0])

    def sweep(self, prefix: str, before: datetime) -> int:
        """See Store. Empty folders under the prefix go too."""
        limit = before.timestamp()
        found = [
            (path, entry)
            for path, entry in self._walk(prefix.rpartition("/")[0])
            if path.startswith(prefix) and entry.st_mtime < limit
        ]
        dead = [path for path, entry in found if stat.S_ISREG(entry.st_mode) and _is_unfinished(path)]
        for path in dead:
            self._remove(path)
        for path, entry in reversed(found):
            if stat.S_ISDIR(entry.st_mode):
                self._folders.remove_empty(path)
        return len(dead)

    def _remove(self, path: str) -> None:
        try:
            folder, name = self._folders.open_parent(path, make=False)
        except FileNotFoundError:
            return
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise store_error(error, self._root / path) from error
        finally:
            os.close(folder)
        self._folders.remove_empty(path.rpartition("/")[0])

    def _walk(self, start: str) -> Iterator[tuple[str, os.stat_result]]:
        """Path below the root and state of everything under `start`, in the order of the keys' text."""
        try:
            folder = self._folders.open(start, make=False)
        except FileNotFoundError:
            return
        try:
            with os.scandir(folder) as found:
                entries = {entry.name: entry.stat(follow_symlinks=False) for entry in found}
        except FileNotFoundError:  # deleted while we looked: look again
            yield from self._walk(start)
            return
        except OSError as error:
            raise store_error(error, self._root / start) from error
        finally:
            os.close(folder)
        for name, entry in sorted(entries.items(), key=_text_order):
            path = f"{start}/{name}" if start else name
            if path == LOST_AND_FOUND:
                continue
            yield path, entry
            if stat.S_ISDIR(entry.st_mode):
                yield from self._walk(path)


def _stored(key: str, entry: os.stat_result) -> StoredKey:
    return StoredKey(key, entry.st_size, datetime.fromtimestamp(entry.st_mtime, UTC))


def _text_order(item: tuple[str, os.stat_result]) -> str:
    name, entry = item
    return name + "/" if stat.S_ISDIR(entry.st_mode) else name


def _is_unfinished(path: str) -> bool:
    return path.rpartition("/")[2].startswith(UNFINISHED_PREFIX)


def _exists(folder: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True
