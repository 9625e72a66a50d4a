"""One bucket and prefix as a specification names them: the client, the names of objects, and what is asked of new ones."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from strongroom.api.backupstore import ObjectLock, S3Store
from strongroom.api.fields import parse_duration
from strongroom.stores.keys import PASSING_PREFIX
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.s3.failures import code_of, s3_failures

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import HeadObjectOutputTypeDef, ObjectTypeDef

WRITER = "strongroom-writer"
"""Metadata of every object that we write: a word of its one writer."""
ABSENT = {"NoSuchKey", "NoSuchVersion", "404"}


@dataclass(frozen=True)
class Bucket:
    """A bucket with the prefix that every key gets. `connect` is called when it is first needed."""

    spec: S3Store
    lock: ObjectLock | None
    connect: "Callable[[], S3Client]"
    pulse: Pulse

    @cached_property
    def client(self) -> "S3Client":
        """The client. Raises what reading Secrets raises."""
        return self.connect()

    @property
    def name(self) -> str:
        """The bucket's name."""
        return self.spec.bucket

    @property
    def prefix(self) -> str:
        """What stands before every key."""
        return self.spec.key_prefix

    def full(self, key: str) -> str:
        """The object's name."""
        return self.prefix + key

    def failures(self) -> AbstractContextManager[None]:
        """Turn what the client raises inside into StrongroomErrors."""
        return s3_failures(self.spec)

    def creation(self, key: str, writer: str) -> dict[str, Any]:
        """What PutObject and CreateMultipartUpload are told about a new object: all that must hold from its first moment."""
        asked: dict[str, Any] = {"Metadata": {WRITER: writer}, "ContentType": "application/octet-stream"}
        if self.spec.storage_class is not None:
            asked["StorageClass"] = self.spec.storage_class
        if self.spec.server_side_encryption is not None:
            asked["ServerSideEncryption"] = self.spec.server_side_encryption
        if self.spec.kms_key_id is not None:
            asked["SSEKMSKeyId"] = self.spec.kms_key_id
        if self.lock is not None and not key.startswith(PASSING_PREFIX):
            asked["ObjectLockMode"] = self.lock.mode.upper()
            asked["ObjectLockRetainUntilDate"] = datetime.now(UTC) + parse_duration(self.lock.duration)
        return asked

    def put(self, key: str, body: bytes, **more: Any) -> None:
        """Write a small object of our own making, with the checksum that buckets with locks ask for. Raises ClientError."""
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        self.client.put_object(Bucket=self.name, Key=self.full(key), Body=body, ContentMD5=digest, **more)

    def head(self, key: str) -> "HeadObjectOutputTypeDef | None":
        """What is known of a committed key; None when there is none."""
        with self.failures():
            try:
                return self.client.head_object(Bucket=self.name, Key=self.full(key))
            except ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise

    def objects(self, prefix: str) -> "Iterator[tuple[str, ObjectTypeDef]]":
        """Everything whose key begins so, foreign objects and our own marks included, page by page in the server's order."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=self.full(prefix)
        )
        with self.failures():
            for page in pages:
                self.pulse.beat()
                for found in page.get("Contents", []):
                    yield found["Key"][len(self.prefix) :], found
