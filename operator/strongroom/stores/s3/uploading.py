"""One key being written to a bucket: in one request if it is small, else in parts, and visible by one last request alone."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.s3 import unfinished
from strongroom.stores.s3.bucket import WRITER, Bucket
from strongroom.stores.s3.failures import explain
from strongroom.stores.s3.flights import Flights
from strongroom.stores.s3.parts import Part, part_bytes
from strongroom.stores.store import Chunk

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import CompletedPartTypeDef

_LANDING_SECONDS = 5


class S3Writer:
    """See StoreWriter.

    Up to 31 GiB it holds three parts of 16 MiB in memory: one that fills and two that are sent. Of a larger one the later
    parts wait in the scratch folder: three of 64 MiB, from 156 GiB of 256 MiB, from 656 GiB of 1.25 GiB.
    """

    def __init__(self, bucket: Bucket, key: str, refuses_replacing: Callable[[], bool]) -> None:
        """Send nothing yet. `refuses_replacing`: whether the server does, asked at the commit."""
        self._bucket = bucket
        self._key = key
        self._refuses_replacing = refuses_replacing
        self._writer = secrets.token_hex(12)
        self._upload: str | None = None
        self._mark: str | None = None
        self._part = Part(part_bytes(1))
        self._number = 1
        self._flights = Flights(self._send)
        self._open = True

    def write(self, chunk: Chunk) -> None:
        """See StoreWriter."""
        rest = memoryview(chunk)
        while rest:
            if self._part.is_full:
                self._next_part()
            rest = rest[self._part.take(rest) :]

    def commit(self) -> None:
        """See StoreWriter. Where the server would replace a key, it is looked for first: two commits in one moment both succeed."""
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if self._refuses_replacing() else {}
        if not condition and self._bucket.head(self._key) is not None:
            raise key_exists(self._bucket, self._key)
        if self._upload is None:
            self._publish(lambda: self._put(condition))
        else:
            self._launch()
            tags = self._flights.finish()
            self._publish(lambda: self._complete(tags, condition))
        self._open = False
        if self._mark is not None:
            unfinished.unmark(self._bucket, self._mark)

    def abort(self) -> None:
        """See StoreWriter. A part that is still on its way keeps the mark, so that a sweep ends the upload once more."""
        if not self._open:
            return
        self._open = False
        has_landed = self._flights.give_up(_LANDING_SECONDS)
        self._part.close()
        if self._upload is None:
            return
        with suppress(StrongroomError):
            unfinished.abort(self._bucket, self._key, self._upload)
            if has_landed and self._mark is not None:
                unfinished.unmark(self._bucket, self._mark)

    def _next_part(self) -> None:
        if self._upload is None:
            self._begin()
        self._launch()
        self._number += 1
        self._part = Part(part_bytes(self._number))

    def _begin(self) -> None:
        with self._bucket.failures():
            begun = self._bucket.client.create_multipart_upload(**self._target, **self._creation)
        self._upload = begun["UploadId"]
        self._mark = unfinished.mark(self._bucket, self._key, self._upload, self._writer)

    def _launch(self) -> None:
        self._flights.launch(self._number, self._part)

    def _send(self, number: int, part: Part) -> str:
        with self._bucket.failures():
            sent = self._bucket.client.upload_part(
                **self._target,
                UploadId=self._upload or "",
                PartNumber=number,
                Body=part.rewound(self._bucket.pulse.beat),
                ContentLength=part.size_bytes,
                ContentMD5=part.md5,
            )
        return sent["ETag"]

    def _put(self, condition: dict[str, Any]) -> None:
        self._bucket.client.put_object(
            **self._target,
            **self._creation,
            **condition,
            Body=self._part.rewound(self._bucket.pulse.beat),
            ContentLength=self._part.size_bytes,
            ContentMD5=self._part.md5,
        )

    def _complete(self, tags: dict[int, str], condition: dict[str, Any]) -> None:
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": tag} for number, tag in sorted(tags.items())
        ]
        self._bucket.client.complete_multipart_upload(
            **self._target, **condition, UploadId=self._upload or "", MultipartUpload={"Parts": parts}
        )

    def _publish(self, act: Callable[[], None]) -> None:
        """Make the key visible. A failure may be that of an answer which was lost: whose the key is now decides."""
        try:
            with self._bucket.failures():
                self._publish_or_recognize(act)
        finally:
            self._part.close()

    def _publish_or_recognize(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (ClientError, BotoCoreError) as error:
            found = self._bucket.head(self._key)
            if found is None:
                raise explain(error, self._bucket.spec) from error
            if found.get("Metadata", {}).get(WRITER) != self._writer:
                raise key_exists(self._bucket, self._key) from error

    @property
    def _target(self) -> dict[str, Any]:
        return {"Bucket": self._bucket.name, "Key": self._bucket.full(self._key)}

    @property
    def _creation(self) -> dict[str, Any]:
        return self._bucket.creation(self._key, self._writer)

    def __enter__(self) -> Self:
        """See StoreWriter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See StoreWriter."""
        self.abort()


def key_exists(bucket: Bucket, key: str) -> StrongroomError:
    """Somebody has committed that key."""
    return StrongroomError(Reason.KeyExists, f"{key} exists already in s3.bucket {bucket.name}")
