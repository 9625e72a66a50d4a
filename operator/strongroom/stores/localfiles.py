"""One file of a local store: being written, or being read."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.keys import UNFINISHED_PREFIX
from strongroom.stores.localfolders import store_error
from strongroom.stores.store import Chunk

_FLUSH_BYTES = 16 << 20
_SYNC_BYTES = 256 << 20
"""After so many the medium is waited for: one slower than the memory before it must not find it all at the last fsync,
which would take longer than a store may be silent."""
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class LocalWriter:
    """See StoreWriter."""

    def __init__(self, folder: int, name: str, path: Path) -> None:
        """Take over the folder's descriptor (not if this raises OSError); `path` is for messages."""
        self._unfinished = UNFINISHED_PREFIX + secrets.token_hex(12)
        self._file = os.open(self._unfinished, _NEW, 0o600, dir_fd=folder)
        self._folder = folder
        self._name = name
        self._path = path
        self._unflushed = 0
        self._unsynced = 0
        self._open = True

    def write(self, chunk: Chunk) -> None:
        """See StoreWriter."""
        rest = memoryview(chunk)
        try:
            while rest:
                written = os.write(self._file, rest)
                self._unflushed += written
                self._unsynced += written
                rest = rest[written:]
            if self._unflushed >= _FLUSH_BYTES:
                # Linux starts to write dirty pages back here without waiting: the final fsync finds little left to do,
                # and the dump does not push everything else out of the page cache.
                os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)
                self._unflushed = 0
            if self._unsynced >= _SYNC_BYTES:
                os.fdatasync(self._file)
                self._unsynced = 0
        except OSError as error:
            raise store_error(error, self._path) from error

    def commit(self) -> None:
        """See StoreWriter."""
        try:
            os.fsync(self._file)
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)
            self._publish()
        except FileExistsError as error:
            raise StrongroomError(Reason.KeyExists, f"{self._path} exists already") from error
        except OSError as error:
            raise store_error(error, self._path) from error
        try:
            os.fsync(self._folder)
        except OSError as error:
            self._withdraw()
            raise store_error(error, self._path) from error
        self._close()

    def abort(self) -> None:
        """See StoreWriter."""
        if self._open:
            with suppress(OSError):
                os.unlink(self._unfinished, dir_fd=self._folder)
            self._close()

    def _publish(self) -> None:
        """Give the file its name, if nobody has it."""
        try:
            os.link(
                self._unfinished,
                self._name,
                src_dir_fd=self._folder,
                dst_dir_fd=self._folder,
                follow_symlinks=False,
            )
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._claim_and_rename()
            return
        with suppress(OSError):  # a second name that stays is swept later
            os.unlink(self._unfinished, dir_fd=self._folder)

    def _claim_and_rename(self) -> None:
        """For file systems without hard links (exFAT): own the name by an empty file, then replace that by ours.

        A claim whose writer died stays, empty, and keeps its key taken: a later attempt has other keys.
        """
        os.close(os.open(self._name, _NEW, 0o600, dir_fd=self._folder))
        try:
            os.rename(self._unfinished, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            self._withdraw()
            raise

    def _withdraw(self) -> None:
        """After a name that could not be made durable: nothing may be visible."""
        with suppress(OSError):
            os.unlink(self._name, dir_fd=self._folder)

    def _close(self) -> None:
        self._open = False
        with suppress(OSError):
            os.close(self._file)
        with suppress(OSError):
            os.close(self._folder)

    def __enter__(self) -> Self:
        """See StoreWriter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreWriter."""
        self.abort()


class LocalReader:
    """See StoreReader."""

    def __init__(self, folder: int, name: str, path: Path) -> None:
        """Open the file in that folder, past the page cache; `path` is for messages."""
        self._file = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder)
        self._path = path
        os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def readinto(self, buffer: memoryview) -> int:
        """See StoreReader."""
        try:
            return os.readv(self._file, [buffer])
        except OSError as error:
            raise store_error(error, self._path) from error

    def close(self) -> None:
        """See StoreReader."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        """See StoreReader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreReader."""
        self.close()
