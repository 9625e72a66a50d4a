"""Reads and listings through connections that break, of objects that others change meanwhile."""

import os
from pathlib import Path

import pytest
from tests.s3.faults import FaultyProxy, faulty_proxy
from tests.s3.server import S3Server
from tests.s3.stores import IMPATIENT, open_bucket

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.s3.store import BucketStore

CONTENT = os.urandom(3 << 20)


@pytest.fixture
def proxy(s3_server: S3Server):
    with faulty_proxy(s3_server.port) as proxy:
        yield proxy


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    return tmp_path.name


@pytest.fixture
def store(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path, proxy: FaultyProxy, prefix: str
) -> BucketStore:
    s3_server.client().put_object(Bucket=s3_bucket, Key=f"{prefix}/a/file", Body=CONTENT)
    return open_bucket(tmp_path, s3_server, s3_bucket, endpoint=proxy.endpoint, prefix=prefix)


def read(store: BucketStore, key: str = "a/file", then: object = None) -> bytes:
    """All of it; `then` is called after the first bytes."""
    content, buffer = bytearray(), memoryview(bytearray(1 << 16))
    with store.open(key) as reader:
        while count := reader.readinto(buffer):
            content += buffer[:count]
            if callable(then):
                then, _ = None, then()
    return bytes(content)


@pytest.mark.parametrize("times", [1, 3])
def test_a_read_goes_on_where_the_connection_broke(
    store: BucketStore, proxy: FaultyProxy, times: int
) -> None:
    proxy.fail("GetObject", "cut", after_bytes=700_000, times=times)
    assert read(store) == CONTENT
    assert proxy.asked.count("GetObject") == times + 1


def test_a_read_that_stalls_goes_on_in_another_connection(
    store: BucketStore, s3_server: S3Server, s3_bucket: str, tmp_path: Path, proxy: FaultyProxy, prefix: str
) -> None:
    proxy.fail("GetObject", "stall", times=1)
    proxy.fail("GetObject", "hang", after_bytes=700_000, times=1)
    impatient = open_bucket(
        tmp_path, s3_server, s3_bucket, endpoint=proxy.endpoint, prefix=prefix, patience=IMPATIENT
    )
    assert read(impatient) == CONTENT
    assert proxy.asked.count("GetObject") == 3


def test_a_read_that_never_comes_further_fails_and_names_the_endpoint(
    store: BucketStore, proxy: FaultyProxy
) -> None:
    proxy.fail("GetObject", "cut", after_bytes=0)
    with pytest.raises(StrongroomError, match=r"s3\.endpoint") as caught:
        read(store)
    assert caught.value.reason is Reason.StoreUnreachable


@pytest.mark.parametrize("change", ["replace", "delete"])
def test_an_object_that_changes_between_two_connections_is_told(
    store: BucketStore, proxy: FaultyProxy, s3_server: S3Server, s3_bucket: str, prefix: str, change: str
) -> None:
    client, name = s3_server.client(), f"{prefix}/a/file"

    def act() -> None:
        if change == "replace":
            client.put_object(Bucket=s3_bucket, Key=name, Body=CONTENT[::-1])
        else:
            client.delete_object(Bucket=s3_bucket, Key=name)

    proxy.fail("GetObject", "cut", after_bytes=700_000, times=1)
    with pytest.raises(StrongroomError, match="changed, or was deleted, while it was read"):
        read(store, then=act)


def test_a_listing_of_many_pages_is_whole_and_one_that_fails_in_the_middle_raises(
    s3_server: S3Server, s3_bucket: str, store: BucketStore, proxy: FaultyProxy, prefix: str
) -> None:
    client = s3_server.client()
    for number in range(1005):
        client.put_object(Bucket=s3_bucket, Key=f"{prefix}/many/{number:05}", Body=b"")
    assert [found.key for found in store.list("many/")] == [f"many/{number:05}" for number in range(1005)]
    assert proxy.asked.count("ListObjectsV2") == 2
    proxy.fail("ListObjectsV2", status=500, code="InternalError", nth=2)
    with pytest.raises(StrongroomError, match=r"s3\.endpoint"):
        list(store.list("many/"))


def test_foreign_objects_are_neither_listed_nor_in_the_way(
    s3_server: S3Server, s3_bucket: str, store: BucketStore, prefix: str
) -> None:
    client = s3_server.client()
    for name in (".strongroom-x", "folder/", "line\nbreak", "ok/theirs"):
        client.put_object(Bucket=s3_bucket, Key=f"{prefix}/{name}", Body=b"")
    client.put_object(Bucket=s3_bucket, Key=f"{prefix}2/beside", Body=b"")
    assert [found.key for found in store.list()] == ["a/file", "ok/theirs"]
