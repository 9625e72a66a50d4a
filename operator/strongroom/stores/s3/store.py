"""A bucket as a store."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from strongroom.api.backupstore import ObjectLock, S3Store
from strongroom.stores.keys import checked, is_key
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.s3 import unfinished
from strongroom.stores.s3.bucket import Bucket
from strongroom.stores.s3.deleting import delete_key
from strongroom.stores.s3.downloading import S3Reader
from strongroom.stores.s3.probing import find_capabilities, refuses_replacing
from strongroom.stores.s3.uploading import S3Writer, key_exists
from strongroom.stores.store import Capability, StoredKey, StoreProbe

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class BucketStore:
    """See Store. The bucket and its settings are never made or changed. It has no claims: several workers may be at work."""

    def __init__(
        self,
        spec: S3Store,
        lock: ObjectLock | None,
        connect: "Callable[[], S3Client]",
        pulse: Pulse | None = None,
    ) -> None:
        """Touch nothing. `connect` is called once, by whatever is done first, and raises there what it raises.

        `pulse` beats while a part is sent and when a page of a listing has come.
        """
        self._bucket = Bucket(spec, lock, connect, pulse or Pulse())

    def probe(self) -> StoreProbe:
        """See Store. What the server does with a key that exists is tried once for each BucketStore."""
        with self._bucket.failures():
            self._bucket.client.list_objects_v2(
                Bucket=self._bucket.name, Prefix=self._bucket.prefix, MaxKeys=1
            )
        found = find_capabilities(self._bucket)
        if self._refuses_replacing:
            found.add(Capability.CONDITIONAL_CREATE)
        return StoreProbe(capabilities=frozenset(found), free_bytes=None)

    def claim(self, prefix: str) -> AbstractContextManager[None]:
        """See Store."""
        checked(prefix.removesuffix("/"))
        return nullcontext()

    def create(self, key: str) -> S3Writer:
        """See Store."""
        if self._bucket.head(checked(key)) is not None:
            raise key_exists(self._bucket, key)
        return S3Writer(self._bucket, key, lambda: self._refuses_replacing)

    def open(self, key: str) -> S3Reader:
        """See Store."""
        return S3Reader(self._bucket, checked(key))

    def look(self, key: str) -> StoredKey | None:
        """See Store."""
        found = self._bucket.head(checked(key))
        if found is None:
            return None
        return StoredKey(key, found["ContentLength"], found["LastModified"].astimezone(UTC))

    def list(self, prefix: str = "") -> Iterator[StoredKey]:
        """See Store. All pages are read before the first key is given: not every server keeps the order of the text."""
        found = [
            StoredKey(key, entry["Size"], entry["LastModified"].astimezone(UTC))
            for key, entry in self._bucket.objects(prefix)
            if is_key(key)
        ]
        yield from sorted(found, key=lambda stored: stored.key)

    def delete(self, key: str) -> None:
        """See Store."""
        delete_key(self._bucket, checked(key))

    def sweep(self, prefix: str, before: datetime) -> int:
        """See Store."""
        return unfinished.sweep(self._bucket, prefix, before)

    @cached_property
    def _refuses_replacing(self) -> bool:
        return refuses_replacing(self._bucket)
