"""The bytes of one key: brought here whole by a run of rsync, which compares their digest with the server's, then read."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.rsync.runs import Runs
from strongroom.stores.store import KeyMissingError


class RsyncReader:
    """See StoreReader. Until it is closed it takes the file's room in the scratch folder."""

    def __init__(self, runs: Runs, key: str) -> None:
        """Fetch. KeyMissingError when there is no such key."""
        with ExitStack() as opened:
            file = runs.fetch(key, opened.enter_context(runs.place()))
            if file is None:
                raise KeyMissingError(key)
            self._file = opened.enter_context(file.open("rb", buffering=0))
            self._opened = opened.pop_all()

    def readinto(self, buffer: memoryview) -> int:
        """See StoreReader."""
        try:
            return self._file.readinto(buffer) or 0
        except OSError as error:
            words = f"rsync: what was fetched cannot be read in the worker's scratch folder: {error.strerror}"
            raise StrongroomError(Reason.StoreFailed, words) from error

    def close(self) -> None:
        """See StoreReader."""
        self._opened.close()

    def __enter__(self) -> Self:
        """See StoreReader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreReader."""
        self.close()
