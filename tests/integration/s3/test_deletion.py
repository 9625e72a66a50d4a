"""Deletion in buckets that keep versions, and in those that lock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.s3.server import S3Server
from tests.s3.stores import open_bucket

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.s3.store import BucketStore
from strongroom.stores.store import Capability, KeyLockedError

KEY = "default/shop/point/file"


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    return tmp_path.name


def put(store: BucketStore, key: str = KEY, content: bytes = b"content") -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()


def keys(store: BucketStore) -> list[str]:
    return [found.key for found in store.list()]


@pytest.fixture
def versioned(s3_server: S3Server, versioned_bucket: str, tmp_path: Path, prefix: str) -> BucketStore:
    return open_bucket(tmp_path, s3_server, versioned_bucket, prefix=prefix)


@pytest.fixture
def locking(s3_server: S3Server, versioned_bucket: str, tmp_path: Path, prefix: str) -> BucketStore:
    lock = {"mode": "Compliance", "duration": "1h"}
    return open_bucket(tmp_path, s3_server, versioned_bucket, prefix=prefix, objectLock=lock)


def test_every_version_and_every_marker_goes(
    s3_server: S3Server, versioned_bucket: str, versioned: BucketStore, prefix: str
) -> None:
    client, name = s3_server.client(), f"{prefix}/{KEY}"
    put(versioned)
    client.put_object(Bucket=versioned_bucket, Key=name, Body=b"by another")
    client.delete_object(Bucket=versioned_bucket, Key=name)
    put(versioned, f"{KEY}-beside")
    assert len(s3_server.versions(versioned_bucket, name)) == 4
    versioned.delete(KEY)
    assert s3_server.versions(versioned_bucket, name) == [f"{name}-beside"]


def test_marks_of_uploads_leave_no_version_behind(
    s3_server: S3Server, versioned_bucket: str, versioned: BucketStore, prefix: str
) -> None:
    with versioned.create(KEY) as writer:
        writer.write(bytes(17 << 20))
        writer.commit()
    assert s3_server.versions(versioned_bucket, f"{prefix}/") == [f"{prefix}/{KEY}"]


def test_a_locked_key_is_kept_until_its_lock_ends_and_stays_readable(
    s3_server: S3Server, versioned_bucket: str, locking: BucketStore, prefix: str
) -> None:
    put(locking)
    with pytest.raises(KeyLockedError, match=r"kept by lock until \d{4}-") as caught:
        locking.delete(KEY)
    assert caught.value.until is not None
    assert timedelta(minutes=59) < caught.value.until - datetime.now(UTC) < timedelta(hours=1)
    assert keys(locking) == [KEY]
    assert s3_server.content(versioned_bucket, f"{prefix}/{KEY}") == b"content"


def test_a_large_key_is_locked_as_a_small_one_is(
    s3_server: S3Server, versioned_bucket: str, locking: BucketStore, prefix: str
) -> None:
    put(locking, content=bytes(17 << 20))
    head: dict[str, Any] = s3_server.client().head_object(Bucket=versioned_bucket, Key=f"{prefix}/{KEY}")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert keys(locking) == [KEY]


def test_a_probe_is_never_locked(
    s3_server: S3Server, versioned_bucket: str, locking: BucketStore, prefix: str
) -> None:
    assert {Capability.OBJECT_LOCK, Capability.VERSIONS} <= locking.probe().capabilities
    put(locking, "_probe/key")
    locking.delete("_probe/key")
    assert s3_server.versions(versioned_bucket, f"{prefix}/") == []


def test_a_bucket_without_locks_is_refused_where_locks_are_asked_for(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    lock = {"mode": "Governance", "duration": "1h"}
    store = open_bucket(tmp_path, s3_server, s3_bucket, objectLock=lock)
    with pytest.raises(StrongroomError, match="objectLock") as caught:
        store.probe()
    assert caught.value.reason is Reason.InvalidSpec


def test_a_legal_hold_has_no_end(
    s3_server: S3Server, versioned_bucket: str, versioned: BucketStore, prefix: str
) -> None:
    put(versioned)
    s3_server.client().put_object_legal_hold(
        Bucket=versioned_bucket, Key=f"{prefix}/{KEY}", LegalHold={"Status": "ON"}
    )
    with pytest.raises(KeyLockedError, match="legal hold") as caught:
        versioned.delete(KEY)
    assert caught.value.until is None
