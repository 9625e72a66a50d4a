"""Folders below a local store's root, opened one segment at a time and never through a symbolic link."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError, excerpt

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_RACES = 8


def store_error(error: OSError, path: Path) -> StrongroomError:
    """The operating system's refusal as a row of the errors table."""
    words = excerpt(error.strerror or str(error))
    if error.errno in _FULL:
        return StrongroomError(Reason.StoreFull, f"local.path: no room for {path}: {words}")
    if error.errno in _FORBIDDEN:
        return StrongroomError(Reason.StoreReadOnly, f"local.path: {path} may not be changed: {words}")
    return StrongroomError(Reason.StoreFailed, f"local.path: {path}: {words}")


class Folders:
    """Opens, makes and removes folders under one root. Descriptors belong to the caller."""

    def __init__(self, root: Path) -> None:
        """Remember the root; touch nothing."""
        self._root = root

    def open_root(self) -> int:
        """Descriptor of the root. StoreMissing, StoreNotDirectory, StoreReadOnly or StoreFailed."""
        try:
            return os.open(self._root, _FOLDER)
        except FileNotFoundError as error:
            raise StrongroomError(
                Reason.StoreMissing,
                f"local.path {self._root} does not exist (it is never made: is its disk mounted?)",
            ) from error
        except NotADirectoryError as error:
            raise StrongroomError(
                Reason.StoreNotDirectory, f"local.path {self._root} is not a folder"
            ) from error
        except OSError as error:
            raise store_error(error, self._root) from error

    def open_parent(self, key: str, *, make: bool) -> tuple[int, str]:
        """Descriptor of the key's folder, and the key's last segment. FileNotFoundError if missing and not to be made."""
        folder, _, name = key.rpartition("/")
        for _ in range(_RACES):
            with suppress(FileNotFoundError):
                return self.open(folder, make=make), name
            if not make:
                break
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._root / folder))

    def open(self, folder: str, *, make: bool) -> int:
        """Descriptor of a folder below the root ('' is the root itself)."""
        current = self.open_root()
        try:
            for segment in filter(None, folder.split("/")):
                if make:
                    _ensure_folder(current, segment)
                below = os.open(segment, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
                os.close(current)
                current = below
        except FileNotFoundError:
            os.close(current)
            raise
        except OSError as error:
            os.close(current)
            raise store_error(error, self._root / folder) from error
        return current

    def remove_empty(self, folder: str) -> None:
        """Remove a folder and those above it as far as they are empty; the root stays."""
        while folder:
            parent, _, name = folder.rpartition("/")
            try:
                descriptor = self.open(parent, make=False)
            except FileNotFoundError:
                return
            try:
                os.rmdir(name, dir_fd=descriptor)
            except OSError:  # not empty, or already gone: both are fine, an empty folder harms nobody
                return
            finally:
                os.close(descriptor)
            folder = parent


def _ensure_folder(parent: int, name: str) -> None:
    """Make it if it is missing. Durable in any case: who made it may have died, or be about to, before its fsync."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
    os.fsync(parent)
