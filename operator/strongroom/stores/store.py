"""The contract of a store. tests/contract/test_store_contract.py runs it on every implementation, the fake included."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from strongroom.api.errors import Reason, StrongroomError

Chunk = bytes | bytearray | memoryview


class Capability(StrEnum):
    """What a medium can do beyond the contract. Ask for these, never for a class."""

    FREE_SPACE = "FreeSpace"
    """`probe` knows how many bytes are free."""
    CLAIMS = "Claims"
    """`claim` keeps other workers out."""
    HARD_LINKS = "HardLinks"
    """A key is published by a hard link: the file system itself refuses to replace another."""
    CONDITIONAL_CREATE = "ConditionalCreate"
    """The server itself refuses to replace a key. Without it two who commit one key in the same moment both succeed."""
    VERSIONS = "Versions"
    """The bucket keeps what is replaced and deleted; `delete` removes every version."""
    OBJECT_LOCK = "ObjectLock"
    """The bucket can lock what is written against deletion."""


@dataclass(frozen=True)
class StoreProbe:
    """What a store said of itself. `free_bytes` is None where the medium does not know."""

    capabilities: frozenset[Capability]
    free_bytes: int | None


@dataclass(frozen=True)
class StoredKey:
    """One committed key with its length in bytes and the moment of its commit."""

    key: str
    size_bytes: int
    modified: datetime


class KeyMissingError(StrongroomError):
    """No such key is committed: it never was, or it has been deleted."""

    def __init__(self, key: str) -> None:
        """Name the key."""
        super().__init__(Reason.StoreFailed, f"the store holds no {key}")


class KeyLockedError(StrongroomError):
    """The medium protects the key against deletion until a moment: no failure of the store, and nothing was deleted."""

    def __init__(self, key: str, until: datetime | None) -> None:
        """Name the key and the end of its lock; None is a legal hold, which has no end."""
        ends = "a legal hold is lifted" if until is None else f"{until:%Y-%m-%dT%H:%M:%SZ}"
        super().__init__(Reason.StoreDenied, f"{key} is kept by lock until {ends}")
        self.until = until


class StoreWriter(Protocol):
    """One key being written. As a context manager it aborts on leaving, unless it was committed.

    Nothing of it is visible to `open` and `list` before `commit` has returned; all of it is from then on, and it outlives
    a loss of power. Any failure (StoreFull, StoreFailed) leaves the store as it was before `create`; such a writer
    can only be aborted. Not for use by several threads at once.
    """

    def write(self, chunk: Chunk) -> None:
        """Take the whole chunk. The store keeps no reference to its buffer."""

    def commit(self) -> None:
        """Make the key durable and visible, at most once. KeyExists when someone else has committed the key meanwhile."""

    def abort(self) -> None:
        """Forget what was written. Idempotent; without effect after `commit`; never raises for a store that has gone."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abort, which does nothing after a commit."""


class StoreReader(Protocol):
    """The bytes of one committed key, from the medium rather than from a cache where that can be had."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer and return how much; 0 only at the end. StoreFailed when the medium fails."""

    def close(self) -> None:
        """Idempotent."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""


class Store(Protocol):
    """A flat space of keys, written once. Keys are those that `keys.checked` lets pass.

    Every method may be tried again after it failed. Failures are StrongroomErrors of the reasons Store*, KeyExists, and
    for a server also AuthenticationFailed, TlsFailed, ClockSkewed, InvalidSpec, SecretMissing and SecretKeyMissing; their
    texts name the field of the BackupStore that has to be looked at.
    """

    def probe(self) -> StoreProbe:
        """Whether the store is there and can be written. Nothing is left behind.

        Raises StoreMissing, StoreNotDirectory, StoreReadOnly, StoreDenied or StoreFailed. A missing store is never made.
        """

    def claim(self, prefix: str) -> AbstractContextManager[None]:
        """Be the only one at work under a prefix (with its final slash) until the context is left or the process ends.

        Entering raises TargetBusy while another one is. It binds only those who claim: readers and store checks go on.
        A medium without the capability `CLAIMS` lets everybody in, and so may one with it where the place cannot lock.
        """

    def create(self, key: str) -> StoreWriter:
        """Begin to write a key. KeyExists when it is committed: a key is never written twice.

        Two writers of one key may exist; the first commit wins.
        """

    def open(self, key: str) -> StoreReader:
        """Read a committed key. KeyMissingError when there is none."""

    def look(self, key: str) -> StoredKey | None:
        """A committed key as it is now, or None. Never behind the last commit or deletion, where a listing may be."""

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """All committed keys that begin with the prefix, in the order of their text.

        A failure in the middle raises: a listing is never silently short. But a server may show late what was committed or
        deleted lately: whoever knows a key, and acts on its absence, asks `look`.
        """

    def delete(self, key: str) -> None:
        """Remove a committed key, durably. Idempotent: a missing key is no error. KeyLockedError while it is protected."""

    def sweep(self, prefix: str, before: datetime) -> int:
        """Remove what writers that died left under the prefix if last touched before that moment; return how many.

        Only what bears this store's own mark is removed; committed keys and foreign files stay.
        """
