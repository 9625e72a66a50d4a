"""What the bucket and its server can do: asked of them, and tried where nobody says."""

import secrets
from contextlib import suppress

from botocore.exceptions import ClientError

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.keys import PASSING_PREFIX
from strongroom.stores.s3.bucket import Bucket
from strongroom.stores.s3.deleting import delete_key
from strongroom.stores.s3.failures import explain, status_of
from strongroom.stores.store import Capability, KeyLockedError

_REFUSED = {409, 412}
_NOT_KNOWN = {400, 501}


def refuses_replacing(bucket: Bucket) -> bool:
    """Whether the server honours `If-None-Match: *` (RFC 9110): a key that lives for a moment is written twice.

    So it is also found out whether the credentials may write and delete.
    """
    key = f"{PASSING_PREFIX}{secrets.token_hex(12)}"
    try:
        return _is_refused(bucket, key) or _is_refused(bucket, key)
    finally:
        with suppress(KeyLockedError):  # by the bucket's own default
            delete_key(bucket, key)


def _is_refused(bucket: Bucket, key: str) -> bool:
    with bucket.failures():
        try:
            bucket.put(key, b"probe", IfNoneMatch="*")
        except ClientError as error:
            if status_of(error) not in _REFUSED | _NOT_KNOWN:
                raise
            return status_of(error) in _REFUSED
    return False


def find_capabilities(bucket: Bucket) -> set[Capability]:
    """What its settings say. Those that the credentials may not see, or the server does not know, are not told.

    InvalidSpec when locks are asked for and the bucket has none.
    """
    found = set()
    with bucket.failures():
        with suppress(ClientError):
            if bucket.client.get_bucket_versioning(Bucket=bucket.name).get("Status") == "Enabled":
                found.add(Capability.VERSIONS)
        if _locks(bucket):
            found.add(Capability.OBJECT_LOCK)
    return found


def _locks(bucket: Bucket) -> bool:
    try:
        answer = bucket.client.get_object_lock_configuration(Bucket=bucket.name)
    except ClientError as error:
        if bucket.lock is not None and status_of(error) == 404:
            raise explain(error, bucket.spec) from error
        return False
    enabled = answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"
    if bucket.lock is not None and not enabled:
        raise StrongroomError(Reason.InvalidSpec, f"objectLock: bucket {bucket.name} does not lock objects")
    return enabled
