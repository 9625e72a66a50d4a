"""Stores on a bucket of a test's own."""

from pathlib import Path
from typing import Any

from tests.s3.server import S3Server

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.stores.s3.connecting import Patience, connect
from strongroom.stores.s3.store import BucketStore
from strongroom.worker.secretfiles import SecretFiles

QUICK = Patience(connect_seconds=2, read_seconds=20, attempts=2)
IMPATIENT = Patience(connect_seconds=2, read_seconds=1, attempts=2)
"""For silence."""


def write_keys(folder: Path, server: S3Server, user: str = "admin") -> SecretFiles:
    """The user's keys as Secret `vault-keys` in a folder of Secrets."""
    secret = folder / "vault-keys"
    secret.mkdir(parents=True, exist_ok=True)
    (secret / "access").write_text(f"{user}\n")
    (secret / "secret").write_text(f"{server.secret_key(user)}\n")
    return SecretFiles(folder)


def bucket_spec(endpoint: str, bucket: str, **more: Any) -> dict[str, Any]:
    """A BackupStore's specification. `objectLock` and `limits` stand beside `s3`, all else in it."""
    beside = {name: more.pop(name) for name in ("objectLock", "limits") if name in more}
    beside.setdefault("limits", {"retryFor": "1s"})
    keys = {
        "accessKeySecret": {"name": "vault-keys", "key": "access"},
        "secretKeySecret": {"name": "vault-keys", "key": "secret"},
    }
    return {"s3": {"bucket": bucket, "endpoint": endpoint, **keys, **more}, "media": "object", **beside}


def open_bucket(
    folder: Path,
    server: S3Server,
    bucket: str,
    *,
    user: str = "admin",
    endpoint: str = "",
    patience: Patience = QUICK,
    **more: Any,
) -> BucketStore:
    """The store, with the server's own endpoint or another."""
    spec = BackupStoreSpec.model_validate(bucket_spec(endpoint or server.endpoint, bucket, **more))
    assert spec.s3 is not None
    s3, secrets = spec.s3, write_keys(folder, server, user)
    return BucketStore(s3, spec.object_lock, lambda: connect(s3, secrets, patience))
