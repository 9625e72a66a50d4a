"""A worker writes to a folder and to a bucket in one pass, and each copy is proved, told and forgotten by itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.worker.workshop import Workshop
from tests.s3.faults import FaultyProxy, faulty_proxy
from tests.s3.server import S3Server
from tests.s3.stores import bucket_spec, write_keys

from strongroom.pipeline.signing import PrivateKey

POINT = "vault/default/shop/20260102T030405Z-first"


@pytest.fixture
def bucket(s3_server: S3Server, workshop: Workshop) -> str:
    write_keys(workshop.folder / "secrets", s3_server)
    return s3_server.make_bucket()


@pytest.fixture
def proxy(s3_server: S3Server):
    with faulty_proxy(s3_server.port) as proxy:
        yield proxy


def stores(workshop: Workshop, endpoint: str, bucket: str, **more: Any) -> list[dict[str, Any]]:
    """The folder, and the bucket."""
    vault = bucket_spec(endpoint, bucket, prefix="vault", **more)
    return [
        {"name": "disk", "spec": {"local": {"path": str(workshop.store)}}},
        {"name": "vault", "spec": vault},
    ]


def test_one_pass_makes_two_equal_copies_that_are_both_read_back(
    workshop: Workshop, s3_server: S3Server, bucket: str
) -> None:
    finished = workshop.succeed(workshop.order(stores=stores(workshop, s3_server.endpoint, bucket)))
    assert [(copy.store, copy.state) for copy in finished.result.copies] == [
        ("disk", "Succeeded"),
        ("vault", "Succeeded"),
    ]
    assert set(s3_server.objects(bucket)) == {f"vault/{name}" for name in workshop.files()}
    for name in workshop.files():
        assert s3_server.content(bucket, f"vault/{name}") == (workshop.store / name).read_bytes()
    (report,) = [report for report in finished.result.stores if report.store == "vault"]
    assert (report.ready, report.recovery_points) == (True, 1)
    assert "ConditionalCreate" in report.capabilities


def test_a_bucket_that_is_down_is_a_failed_copy_and_the_folder_has_the_backup(
    workshop: Workshop, bucket: str
) -> None:
    finished = workshop.run(workshop.order(stores=stores(workshop, "http://127.0.0.1:9", bucket)))
    copies = {copy.store: copy for copy in finished.result.copies}
    assert (finished.result.outcome, copies["disk"].state) == ("Partial", "Succeeded")
    assert (copies["vault"].state, copies["vault"].reason) == ("Failed", "StoreUnreachable")
    assert "s3.endpoint http://127.0.0.1:9" in (copies["vault"].message or "")
    assert any(name.endswith("manifest.json") for name in workshop.files())


def test_a_bucket_that_fails_after_the_first_file_holds_no_manifest(
    workshop: Workshop, s3_server: S3Server, bucket: str, proxy: FaultyProxy
) -> None:
    # Twice to find out what the server does; then globals, database and manifest.
    proxy.fail("PutObject", status=507, code="InsufficientStorage", nth=4)
    finished = workshop.run(workshop.order(stores=stores(workshop, proxy.endpoint, bucket)))
    copies = {copy.store: copy for copy in finished.result.copies}
    assert (copies["disk"].state, copies["vault"].reason) == ("Succeeded", "StoreFull")
    assert not any(name.endswith("manifest.json") for name in s3_server.objects(bucket))


def test_bytes_that_change_in_the_bucket_are_found_when_they_are_read_back(
    workshop: Workshop, s3_server: S3Server, bucket: str, proxy: FaultyProxy
) -> None:
    # The read breaks off, and somebody else's object is there when it goes on.
    proxy.fail("GetObject", "cut", after_bytes=10, times=1)
    proxy.fail("GetObject", status=412, code="PreconditionFailed", nth=1, times=1)
    finished = workshop.run(workshop.order(stores=stores(workshop, proxy.endpoint, bucket)))
    copies = {copy.store: copy for copy in finished.result.copies}
    assert copies["vault"].state == "Failed"
    assert "changed" in (copies["vault"].message or "")
    assert s3_server.objects(bucket) == {}


def test_no_key_is_in_what_the_worker_says_or_stores(
    workshop: Workshop, s3_server: S3Server, bucket: str
) -> None:
    finished = workshop.succeed(workshop.order(stores=stores(workshop, s3_server.endpoint, bucket)))
    wrong = workshop.folder / "secrets" / "vault-keys" / "secret"
    wrong.write_text("canary-of-a-wrong-key")
    failed = workshop.run(workshop.order("second", stores=stores(workshop, s3_server.endpoint, bucket)))
    assert {copy.store: copy.reason for copy in failed.result.copies}["vault"] == "AuthenticationFailed"
    said = (
        "".join(each.stdout + each.stderr + each.result.model_dump_json() for each in (finished, failed))
        + workshop.result.read_text()
    )
    stored = b"".join(s3_server.content(bucket, name) for name in s3_server.objects(bucket))
    for secret in (s3_server.secret_key(), "canary-of-a-wrong-key"):
        assert secret not in said
        assert secret.encode() not in stored


def test_retention_deletes_in_both_and_what_a_lock_keeps_is_told(
    workshop: Workshop, s3_server: S3Server, versioned_bucket: str
) -> None:
    write_keys(workshop.folder / "secrets", s3_server)
    lock = {"mode": "Compliance", "duration": "1h"}
    places = stores(workshop, s3_server.endpoint, versioned_bucket, objectLock=lock)
    places[1]["spec"]["s3"]["prefix"] = workshop.folder.name
    retention = {"keepLast": 1}
    workshop.succeed(workshop.order("first", stores=places, retention=retention))
    second = workshop.succeed(
        workshop.order("second", stores=places, retention=retention, slot="2026-01-03T03:04:05Z")
    )
    disk, vault = second.result.retention
    assert (disk.kept, disk.deleted_runs, disk.locked) == (1, ["first"], 0)
    assert (vault.kept, vault.deleted_runs, vault.locked, vault.blocked) == (2, [], 1, None)
    assert vault.locked_until is not None
    manifests = [name for name in s3_server.objects(versioned_bucket, workshop.folder.name) if name.endswith("manifest.json")]  # fmt: skip
    assert len(manifests) == 2


def test_the_hosts_own_credentials_come_from_files_that_its_agent_names(
    workshop: Workshop, s3_server: S3Server, bucket: str
) -> None:
    own = workshop.folder / "own"
    words = f"[default]\naws_access_key_id = admin\naws_secret_access_key = {s3_server.secret_key()}\n"
    own.write_text(words)
    workshop.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(own)
    places = stores(workshop, s3_server.endpoint, bucket)
    for field in ("accessKeySecret", "secretKeySecret"):
        del places[1]["spec"]["s3"][field]
    finished = workshop.succeed(workshop.order(stores=places))
    assert {copy.state for copy in finished.result.copies} == {"Succeeded"}


def test_a_store_check_writes_reads_and_deletes_in_a_bucket_and_leaves_nothing(
    workshop: Workshop, s3_server: S3Server, bucket: str
) -> None:
    order = {
        "version": 1,
        "kind": "CheckStore",
        "namespace": "default",
        "runUid": "uid-check",
        "stores": stores(workshop, s3_server.endpoint, bucket)[1:],
        "deadlineSeconds": 60,
    }
    finished = workshop.run(order)
    assert finished.code == 0, json.dumps(finished.result.to_api())
    assert s3_server.objects(bucket) == {}


def test_a_file_of_many_parts_goes_to_the_bucket_as_it_is_read(
    workshop: Workshop, s3_server: S3Server, bucket: str, proxy: FaultyProxy, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.mkdir()
    (big / "noise").write_bytes(bytes(range(256)) * (160 << 10))
    order = workshop.order(stores=stores(workshop, proxy.endpoint, bucket), compression={"codec": "none"})
    order["backup"]["sources"] = [{"name": "media", "files": {"path": str(big)}}]
    finished = workshop.succeed(order)
    assert proxy.asked.count("UploadPart") == 3
    assert s3_server.objects(bucket)[f"{POINT}/{finished.artifact.file}"] == finished.artifact.stored_bytes
    assert s3_server.uploads(bucket) == []


def test_a_signed_backup_in_a_bucket_is_catalogued_and_a_listing_that_is_refused_is_a_failure(
    workshop: Workshop, s3_server: S3Server, proxy: FaultyProxy, bucket: str
) -> None:
    key = PrivateKey.generate()
    workshop.write_secret("signing", "private.pem", key.pem().decode())
    signing = {"privateKeySecret": {"name": "signing", "key": "private.pem"}}
    made = stores(workshop, proxy.endpoint, bucket)
    finished = workshop.succeed(workshop.order(stores=made, signing=signing))
    assert f"{POINT}/manifest.json.sig" in s3_server.objects(bucket)
    order = workshop.order(stores=made[1:])
    catalogue = {"trustedKeys": [signing["privateKeySecret"]]}
    del order["backup"]
    asked = order | {"kind": "Catalogue", "catalogue": catalogue, "runUid": "uid-store"}
    told = workshop.succeed(asked).result.catalogue
    assert told is not None
    (point,) = told.points
    assert f"vault/{point.recovery_point}" == POINT
    assert (point.complete, point.signature, point.run_uid) == (True, "Valid", "uid-first")
    assert [each.file for each in point.artifacts] == [each.file for each in finished.result.artifacts]
    proxy.fail("ListObjectsV2", status=403, code="AccessDenied")
    refused = workshop.run(asked)
    assert (refused.result.outcome, refused.result.reason) == ("Failed", "StoreDenied")
    assert refused.result.catalogue is None
