import pytest
from pydantic import ValidationError

from strongroom.api.backupstore import ObjectLock, S3Store
from strongroom.api.workorder import WorkOrder

KEYS = {name: {"name": "keys", "key": name} for name in ("accessKeySecret", "secretKeySecret")}


def s3(**more):
    return S3Store.model_validate({"bucket": "backups", **KEYS, **more})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"secretKeySecret": None}, "both accessKeySecret and secretKeySecret"),
        ({"kmsKeyId": "k"}, "kmsKeyId needs"),
        ({"kmsKeyId": "k", "serverSideEncryption": "AES256"}, "kmsKeyId needs"),
        ({"bucket": "Backups"}, "bucket"),
        ({"prefix": "/a"}, "prefix"),
        ({"prefix": "a//b"}, "prefix"),
        ({"prefix": "a/../b"}, "prefix"),
        ({"prefix": "a/.strongroom-x"}, "prefix"),
        ({"endpoint": "s3.example.com"}, "endpoint"),
        ({"endpoint": "https://user:word@s3.example.com"}, "endpoint"),
        ({"endpoint": "https://s3.example.com/path"}, "endpoint"),
        ({"region": "eu west"}, "region"),
        ({"storageClass": "cold"}, "storageClass"),
    ],
)
def test_what_no_bucket_could_be_is_refused(more, said):
    with pytest.raises(ValidationError, match=said):
        s3(**more)


@pytest.mark.parametrize("prefix", ["a", "a/", "team-1/shop_2.backups"])
def test_a_prefix_is_a_folder_with_or_without_its_last_slash(prefix):
    assert s3(prefix=prefix).key_prefix == prefix.rstrip("/") + "/"
    assert s3(prefix=prefix).url("k") == f"s3://backups/{prefix.rstrip('/')}/k"
    assert s3().url("k") == "s3://backups/k"


def test_the_address_names_server_and_bucket():
    assert s3().address == "aws/backups"
    assert s3(endpoint="https://s3.example:9000/").address == "s3.example:9000/backups"


def test_a_lock_lasts():
    with pytest.raises(ValidationError, match="longer than nothing"):
        ObjectLock(mode="Governance", duration="0h0m")
    assert ObjectLock(mode="Governance", duration="1h").duration == "1h"


def test_an_order_names_every_secret_key_of_its_stores():
    spec = {"s3": {"bucket": "backups", **KEYS, "caSecret": {"name": "ca", "key": "pem"}}}
    stores = [{"name": "vault", "spec": spec}]
    order = WorkOrder.model_validate(
        {"kind": "CheckStore", "namespace": "n", "runUid": "u", "deadlineSeconds": 60, "stores": stores}
    )
    assert {(ref.name, ref.key) for ref in order.secrets()} == {
        ("ca", "pem"),
        ("keys", "accessKeySecret"),
        ("keys", "secretKeySecret"),
    }
