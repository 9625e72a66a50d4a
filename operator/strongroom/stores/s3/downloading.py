"""The bytes of one object, through broken connections: resumed where they ended, and never from another object."""

from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.s3.bucket import ABSENT, Bucket
from strongroom.stores.s3.failures import BROKEN, code_of, explain, status_of
from strongroom.stores.store import KeyMissingError

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

_RESUMPTIONS = 4
"""In a row without a single byte; then the read has failed."""


class S3Reader:
    """See StoreReader. StoreFailed when the object is replaced or deleted meanwhile, StoreUnreachable when nothing comes any more."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        """Send the first request. KeyMissingError when there is no such key."""
        self._bucket = bucket
        self._key = key
        self._offset = 0
        self._futile = 0
        first = self._get({})
        if first is None:
            raise KeyMissingError(key)
        self._length = first["ContentLength"]
        self._tag = first.get("ETag")
        self._body: Any = first["Body"]

    def readinto(self, buffer: memoryview) -> int:
        """See StoreReader."""
        while self._offset < self._length and len(buffer):
            try:
                count = int(self._body.readinto(buffer[: self._length - self._offset]))
            except BROKEN as error:
                self._resume(error)
                continue
            if count:
                self._offset += count
                self._futile = 0
                return count
            self._resume(ConnectionError("the answer ended early"))
        return 0

    def close(self) -> None:
        """See StoreReader."""
        with suppress(Exception):  # a connection that is broken already
            self._body.close()

    def _resume(self, error: Exception) -> None:
        self.close()
        self._futile += 1
        if self._futile > _RESUMPTIONS:
            raise explain(error, self._bucket.spec) from error
        same: dict[str, Any] = {"IfMatch": self._tag} if self._tag else {}
        rest = self._get({"Range": f"bytes={self._offset}-", **same})
        if rest is None or rest["ContentLength"] != self._length - self._offset:
            words = f"s3.bucket {self._bucket.name}: {self._key} changed, or was deleted, while it was read"
            raise StrongroomError(Reason.StoreFailed, words) from error
        self._body = rest["Body"]

    def _get(self, wanted: dict[str, Any]) -> "GetObjectOutputTypeDef | None":
        """The answer; None when no such object is there any more."""
        with self._bucket.failures():
            try:
                return self._bucket.client.get_object(
                    Bucket=self._bucket.name, Key=self._bucket.full(self._key), **wanted
                )
            except ClientError as error:
                if code_of(error) in ABSENT or (wanted and status_of(error) in {412, 416}):
                    return None
                raise

    def __enter__(self) -> Self:
        """See StoreReader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreReader."""
        self.close()
