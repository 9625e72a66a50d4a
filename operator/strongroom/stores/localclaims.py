"""One worker at a time below a folder: a lock on the folder itself, which the system takes back when its owner dies."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.localfolders import Folders, store_error

_NO_LOCKS = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What file systems answer that cannot lock a folder; NFS wants a file that is open for writing."""
_RACES = 8


@contextmanager
def claimed(folders: Folders, folder: str, path: Path) -> Iterator[None]:
    """Own that folder, which is made if it is missing and removed if it is left empty. `path` is for messages.

    TargetBusy while another process does. Where folders cannot be locked everybody is let in.
    """
    descriptor = _lock(folders, folder, path)
    try:
        yield
    finally:
        with suppress(StrongroomError):  # a folder that stays harms nobody, and the work is done
            folders.remove_empty(folder)
        os.close(descriptor)


def _lock(folders: Folders, folder: str, path: Path) -> int:
    for _ in range(_RACES):
        descriptor, _name = folders.open_parent(f"{folder}/", make=True)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StrongroomError(
                Reason.TargetBusy, f"another worker is at work in local.path {path}"
            ) from error
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return descriptor
            os.close(descriptor)
            raise store_error(error, path) from error
        if _is_still_there(folders, folder, descriptor):
            return descriptor
        os.close(descriptor)  # its owner removed it, empty, before we had it
    raise StrongroomError(Reason.TargetBusy, f"other workers come and go in local.path {path}")


def _is_still_there(folders: Folders, folder: str, descriptor: int) -> bool:
    try:
        found = folders.open(folder, make=False)
    except FileNotFoundError:
        return False
    try:
        return os.path.samestat(os.fstat(found), os.fstat(descriptor))
    finally:
        os.close(found)
