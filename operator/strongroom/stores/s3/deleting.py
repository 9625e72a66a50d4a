"""Deletion: of every version where the bucket keeps them, and of none that a lock protects."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from strongroom.stores.s3.bucket import ABSENT, Bucket
from strongroom.stores.s3.failures import code_of, status_of
from strongroom.stores.store import KeyLockedError

_NO_VERSIONS = {400, 403, 405, 501}
"""Of a listing of versions: not known there, or not permitted."""
_ONLY = "null"
"""The version of what was written to a bucket that kept none."""


@dataclass(frozen=True)
class _Version:
    """One version, or a marker that hides those before it."""

    id: str
    is_latest: bool
    is_marker: bool

    @property
    def turn(self) -> tuple[bool, bool]:
        """Old versions, the latest, then markers: what is visible stays so until it is gone, and nothing reappears."""
        return self.is_marker, self.is_latest


def delete_key(bucket: Bucket, key: str) -> None:
    """See Store. Where the credentials may not list versions, versioned buckets keep the old ones behind a marker."""
    with bucket.failures():
        versions = _list_versions(bucket, key)
        if not versions and bucket.head(key) is None:
            return
        if [version.id for version in versions] in ([], [_ONLY]):
            _delete(bucket, key, {})
        else:
            for version in sorted(versions, key=lambda version: version.turn):
                _delete(bucket, key, {"VersionId": version.id})


def _list_versions(bucket: Bucket, key: str) -> list[_Version]:
    """None where the server does not tell."""
    try:
        return list(_versions(bucket, key))
    except ClientError as error:
        if status_of(error) not in _NO_VERSIONS:
            raise
        return []


def _versions(bucket: Bucket, key: str) -> Iterator[_Version]:
    name = bucket.full(key)
    pages = bucket.client.get_paginator("list_object_versions").paginate(Bucket=bucket.name, Prefix=name)
    for page in pages:
        found = [(entry, False) for entry in page.get("Versions", [])]
        marks = [(entry, True) for entry in page.get("DeleteMarkers", [])]
        for entry, is_marker in (*found, *marks):
            if entry["Key"] == name:
                yield _Version(entry.get("VersionId", _ONLY), bool(entry.get("IsLatest")), is_marker)


def _delete(bucket: Bucket, key: str, version: dict[str, Any]) -> None:
    try:
        bucket.client.delete_object(Bucket=bucket.name, Key=bucket.full(key), **version)
    except ClientError as error:
        if code_of(error) in ABSENT:
            return
        if status_of(error) in {400, 403, 409}:
            _tell_lock(bucket, key, version)
        raise


def _tell_lock(bucket: Bucket, key: str, version: dict[str, Any]) -> None:
    """KeyLockedError if a lock is why that version could not be deleted."""
    try:
        head = bucket.client.head_object(Bucket=bucket.name, Key=bucket.full(key), **version)
    except ClientError:
        return
    until = head.get("ObjectLockRetainUntilDate")
    if until is not None and until > datetime.now(UTC):
        raise KeyLockedError(key, until.astimezone(UTC))
    if head.get("ObjectLockLegalHoldStatus") == "ON":
        raise KeyLockedError(key, None)
