"""Uploads in parts: visible by the last request alone, bounded, never replacing, and known as ours when they are left."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.s3.faults import FaultyProxy, faulty_proxy
from tests.s3.server import OPEN_BUCKET, S3Server
from tests.s3.stores import open_bucket

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.s3.parts import MEMORY_BYTES
from strongroom.stores.store import Capability

KEY = "default/shop/20260102T030405Z-run/database.shop.dump.zst"
TOMORROW = datetime.now(UTC) + timedelta(days=1)
CHUNK = os.urandom(1 << 20)
_DYING = """
import sys
from pathlib import Path
from tests.s3.server import S3Server
from tests.s3.stores import open_bucket
port, word, bucket, key, folder = sys.argv[1:]
writer = open_bucket(Path(folder), S3Server(int(port), word), bucket).create(key)
for _ in range(33):
    writer.write(bytes(1 << 20))
print("two parts are on their way", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.make_bucket()


@pytest.fixture
def proxy(s3_server: S3Server):
    with faulty_proxy(s3_server.port) as proxy:
        yield proxy


def write(store, key: str, megabytes: int) -> str:
    """Commit that many MiB; their SHA-256."""
    digest = hashlib.sha256()
    with store.create(key) as writer:
        for number in range(megabytes):
            chunk = number.to_bytes(4, "big") + CHUNK[4:]
            digest.update(chunk)
            writer.write(memoryview(chunk))
        writer.commit()
    return digest.hexdigest()


def test_four_parts_become_one_object_that_another_client_reads_equal(
    s3_server: S3Server, bucket: str, tmp_path: Path, proxy: FaultyProxy
) -> None:
    sha256 = write(open_bucket(tmp_path, s3_server, bucket, endpoint=proxy.endpoint, prefix="a/b"), KEY, 50)
    assert hashlib.sha256(s3_server.content(bucket, f"a/b/{KEY}")).hexdigest() == sha256
    assert proxy.asked.count("UploadPart") == 4
    assert list(s3_server.objects(bucket)) == [f"a/b/{KEY}"]
    assert s3_server.uploads(bucket) == []


def test_what_fits_in_one_part_is_one_request(
    s3_server: S3Server, bucket: str, tmp_path: Path, proxy: FaultyProxy
) -> None:
    store = open_bucket(tmp_path, s3_server, bucket, endpoint=proxy.endpoint)
    write(store, "default/shop/first/file", 1)
    proxy.asked.clear()
    write(store, KEY, MEMORY_BYTES >> 20)
    assert proxy.asked == ["HeadObject", "PutObject"]


def test_nothing_is_visible_until_the_last_request(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    store = open_bucket(tmp_path, s3_server, bucket)
    with store.create(KEY) as writer:
        for _ in range(40):
            writer.write(CHUNK)
        assert list(store.list()) == []
        assert [key for key, _ in s3_server.uploads(bucket)] == [KEY]
    assert s3_server.uploads(bucket) == []
    assert s3_server.objects(bucket) == {}


def test_a_writer_killed_between_parts_leaves_what_a_sweep_finds_by_age_and_foreign_uploads_stay(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    store, client = open_bucket(tmp_path, s3_server, bucket), s3_server.client()
    foreign = client.create_multipart_upload(Bucket=bucket, Key=KEY)["UploadId"]
    dying = subprocess.Popen(
        [sys.executable, "-c", _DYING, str(s3_server.port), s3_server.word, bucket, KEY, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert dying.stdout is not None
    assert dying.stdout.readline().startswith(b"two parts")
    dying.kill()
    dying.communicate(timeout=30)
    assert len(s3_server.uploads(bucket)) == 2
    assert list(store.list()) == []
    assert store.sweep("default/shop/", datetime.now(UTC) - timedelta(hours=1)) == 0
    assert store.sweep("default/shop/", TOMORROW) == 1
    assert s3_server.uploads(bucket) == [(KEY, foreign)]
    assert s3_server.objects(bucket) == {}


def test_a_mark_that_speaks_of_another_folder_ends_nothing(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    store, client = open_bucket(tmp_path, s3_server, bucket), s3_server.client()
    foreign = client.create_multipart_upload(Bucket=bucket, Key="theirs/file")["UploadId"]
    planted = f'{{"key": "theirs/file", "uploadId": "{foreign}"}}'.encode()
    client.put_object(Bucket=bucket, Key="default/shop/.strongroom-planted", Body=planted)
    client.put_object(Bucket=bucket, Key="default/shop/.strongroom-garbage", Body=b"\xff{")
    assert store.sweep("default/shop/", TOMORROW) == 0
    assert s3_server.uploads(bucket) == [("theirs/file", foreign)]


@pytest.mark.parametrize("megabytes", [1, 20])
def test_a_last_request_whose_answer_is_lost_has_succeeded_all_the_same(
    s3_server: S3Server, bucket: str, tmp_path: Path, proxy: FaultyProxy, megabytes: int
) -> None:
    store = open_bucket(tmp_path, s3_server, bucket, endpoint=proxy.endpoint)
    store.probe()
    # The mark of an upload in parts is put first, and lost answers do not matter to it either.
    proxy.fail("PutObject", "lose", times=1)
    proxy.fail("CompleteMultipartUpload", "lose", times=1)
    sha256 = write(store, KEY, megabytes)
    assert hashlib.sha256(s3_server.content(bucket, KEY)).hexdigest() == sha256
    assert list(s3_server.objects(bucket)) == [KEY]


@pytest.mark.parametrize(("act", "operation"), [("reset", "UploadPart"), ("answer", "UploadPart"), ("answer", "CompleteMultipartUpload")])  # fmt: skip
def test_a_failure_that_passes_is_not_noticed(
    s3_server: S3Server, bucket: str, tmp_path: Path, proxy: FaultyProxy, act: str, operation: str
) -> None:
    proxy.fail(operation, act, times=1)  # type: ignore[arg-type]
    sha256 = write(open_bucket(tmp_path, s3_server, bucket, endpoint=proxy.endpoint), KEY, 33)
    assert hashlib.sha256(s3_server.content(bucket, KEY)).hexdigest() == sha256


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_asks_for_patience_gets_it(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path, proxy: FaultyProxy, status: int
) -> None:
    proxy.fail("PutObject", status=status, code="TooManyRequests" if status == 429 else "", nth=3, times=1)
    store = open_bucket(tmp_path, s3_server, s3_bucket, endpoint=proxy.endpoint, prefix=tmp_path.name)
    write(store, KEY, 1)
    assert [found.key for found in store.list()] == [KEY]


@pytest.mark.parametrize(
    ("act", "operation"), [("reset", "UploadPart"), ("answer", "CompleteMultipartUpload")]
)
def test_a_failure_that_stays_leaves_the_bucket_as_it_was(
    s3_server: S3Server, bucket: str, tmp_path: Path, proxy: FaultyProxy, act: str, operation: str
) -> None:
    proxy.fail(operation, act)  # type: ignore[arg-type]
    with pytest.raises(StrongroomError, match=r"s3\.endpoint") as caught:
        write(open_bucket(tmp_path, s3_server, bucket, endpoint=proxy.endpoint), KEY, 33)
    assert caught.value.reason is Reason.StoreUnreachable
    assert s3_server.objects(bucket) == {}
    assert s3_server.uploads(bucket) == []


def test_a_server_that_would_replace_is_told_so_and_the_key_is_looked_for_before_the_commit(
    s3_server: S3Server, tmp_path: Path, proxy: FaultyProxy
) -> None:
    proxy.ignored.add("if-none-match")
    store = open_bucket(tmp_path, s3_server, OPEN_BUCKET, endpoint=proxy.endpoint)
    assert Capability.CONDITIONAL_CREATE not in store.probe().capabilities
    with store.create(KEY) as one, store.create(KEY) as two:
        one.write(b"one")
        two.write(b"two")
        two.commit()
        with pytest.raises(StrongroomError) as caught:
            one.commit()
    assert caught.value.reason is Reason.KeyExists
    assert s3_server.content(OPEN_BUCKET, KEY) == b"two"


def test_a_server_that_refuses_is_found_out_once(
    s3_server: S3Server, bucket: str, tmp_path: Path, proxy: FaultyProxy
) -> None:
    store = open_bucket(tmp_path, s3_server, bucket, endpoint=proxy.endpoint)
    assert Capability.CONDITIONAL_CREATE in store.probe().capabilities
    store.probe()
    assert proxy.asked.count("PutObject") == 2
    assert s3_server.objects(bucket) == {}


def test_class_and_encryption_are_asked_for_at_the_beginning(
    s3_server: S3Server, bucket: str, tmp_path: Path, proxy: FaultyProxy
) -> None:
    asked = {"storageClass": "STANDARD_IA", "serverSideEncryption": "aws:kms", "kmsKeyId": "key-1"}
    store = open_bucket(tmp_path, s3_server, bucket, endpoint=proxy.endpoint, **asked)
    proxy.fail("CreateMultipartUpload", status=400, code="KMS.NotFoundException")
    with pytest.raises(StrongroomError, match=r"s3\.kmsKeyId") as caught:
        write(store, KEY, 17)
    assert caught.value.reason is Reason.InvalidSpec
    headers = {name.lower(): value for name, value in proxy.headers["CreateMultipartUpload"].items()}
    assert headers["x-amz-storage-class"] == "STANDARD_IA"
    assert headers["x-amz-server-side-encryption"] == "aws:kms"
    assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"
