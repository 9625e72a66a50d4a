"""One key being written: it waits whole in the scratch folder, is sent into a folder of its own, and moved from there by rsync."""

import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.keys import UNFINISHED_PREFIX
from strongroom.stores.rsync.runs import Runs
from strongroom.stores.store import Chunk

_SAFE = re.compile(r"([A-Za-z0-9._@+:=,-]+/)*")
_ATTEMPTS = 3
"""Runs in a row that the connection ends; each goes on with what the last one has brought over."""


class RsyncWriter:
    """See StoreWriter. The room for the whole file must be there twice: here until it is committed, and on the server."""

    def __init__(self, runs: Runs, key: str) -> None:
        """Make the folder that the file will come into being in. KeyExists where the key is committed."""
        self._runs = runs
        self._key = key
        folder, slash, self._name = key.rpartition("/")
        self._folder = folder + slash
        if not _SAFE.fullmatch(self._folder):
            raise StrongroomError(
                Reason.InternalError, f"{folder[:200]!r} is no folder that rsync may be told of"
            )
        for entry in runs.look(key):
            if entry.path == key:
                raise self._exists()
            if entry.kind != "d":
                what = "a symbolic link, which is not followed" if entry.kind == "l" else "no folder"
                words = f"rsync.path {runs.access.server.path}: {entry.path} is {what}"
                raise StrongroomError(Reason.StoreFailed, words)
        self._unfinished = f"{self._folder}{UNFINISHED_PREFIX}{secrets.token_hex(12)}"
        runs.make_folder(self._unfinished)
        self._staged = Path(mkdtemp(dir=runs.access.folder))
        self._file = (self._staged / self._name).open("xb", buffering=0)
        (self._staged / self._name).chmod(0o600)
        self._open = True

    def write(self, chunk: Chunk) -> None:
        """See StoreWriter."""
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            words = f"rsync: {self._key} cannot wait in the worker's scratch folder: {error.strerror}"
            raise StrongroomError(Reason.StoreFull, words) from error

    def commit(self) -> None:
        """See StoreWriter. Two who commit one key in the same moment both succeed: rsync looks first, and then replaces."""
        self._file.close()
        if not self._send():
            raise self._exists()
        self._open = False
        self._clear()

    def abort(self) -> None:
        """See StoreWriter."""
        if self._open:
            self._open = False
            self._file.close()
            self._clear()

    def _send(self) -> bool:
        """Whether the key is ours now. After a run whose end was not heard, the bytes decide."""
        staged = self._staged / self._name
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                sent = self._runs.send(staged, self._folder, self._unfinished)
            except StrongroomError as error:
                if error.reason is not Reason.StoreUnreachable or attempt == _ATTEMPTS:
                    raise
                continue
            return sent or (attempt > 1 and self._runs.holds(staged, self._folder))
        raise AssertionError

    def _clear(self) -> None:
        shutil.rmtree(self._staged, ignore_errors=True)
        with suppress(StrongroomError):  # what stays is swept later
            self._runs.remove([], [self._unfinished], most=3 + self._key.count("/"))

    def _exists(self) -> StrongroomError:
        path = self._runs.access.server.path
        return StrongroomError(Reason.KeyExists, f"{self._key} exists already in rsync.path {path}")

    def __enter__(self) -> Self:
        """See StoreWriter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreWriter."""
        self.abort()
