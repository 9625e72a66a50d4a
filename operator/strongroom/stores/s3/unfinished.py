"""How uploads of ours are known: a mark beside the key names each, from before its first part until it has ended.

A listing of uploads tells key and id only, so that another's upload of the same key would look like ours. A mark is an
object `.strongroom-<word>` in the key's folder, which no key can be, and holds the upload's key and id.
"""

import json
import logging
from contextlib import suppress
from datetime import datetime

from botocore.exceptions import ClientError

from strongroom.api.errors import StrongroomError
from strongroom.stores.keys import UNFINISHED_PREFIX, is_key
from strongroom.stores.s3.bucket import ABSENT, WRITER, Bucket
from strongroom.stores.s3.deleting import delete_key
from strongroom.stores.s3.failures import code_of
from strongroom.stores.store import KeyLockedError

log = logging.getLogger(__name__)
_MOST_BYTES = 8192


def mark(bucket: Bucket, key: str, upload: str, writer: str) -> str:
    """Write the mark of an upload that has just begun; its key."""
    folder, slash, _ = key.rpartition("/")
    name = f"{folder}{slash}{UNFINISHED_PREFIX}{writer}"
    body = json.dumps({"key": key, "uploadId": upload}).encode()
    with bucket.failures():
        bucket.put(name, body, Metadata={WRITER: writer})
    return name


def unmark(bucket: Bucket, name: str) -> None:
    """Remove the mark of an upload that has ended. Never raises: one that stays is swept later."""
    with suppress(StrongroomError):
        delete_key(bucket, name)


def abort(bucket: Bucket, key: str, upload: str) -> None:
    """Forget an upload and its parts. Idempotent: one that is gone, or has been completed, is no failure."""
    with bucket.failures():
        try:
            bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=bucket.full(key), UploadId=upload)
        except ClientError as error:
            if code_of(error) not in {"NoSuchUpload", *ABSENT}:
                raise


def sweep(bucket: Bucket, prefix: str, before: datetime) -> int:
    """Abort every marked upload under the prefix that began before that moment; how many. Nothing else is touched."""
    marks = [
        name
        for name, found in bucket.objects(prefix)
        if name.rpartition("/")[2].startswith(UNFINISHED_PREFIX) and found["LastModified"] < before
    ]
    return sum(_end(bucket, name) for name in marks)


def _end(bucket: Bucket, name: str) -> bool:
    upload = _read(bucket, name)
    if upload is None:
        return False
    abort(bucket, *upload)
    with suppress(KeyLockedError):
        delete_key(bucket, name)
    return True


def _read(bucket: Bucket, name: str) -> tuple[str, str] | None:
    """Key and id of the marked upload. None for a mark that is gone, or speaks of a key in another folder: not ours."""
    with bucket.failures():
        try:
            found = bucket.client.get_object(Bucket=bucket.name, Key=bucket.full(name))
        except ClientError as error:
            if code_of(error) in ABSENT:
                return None
            raise
        with found["Body"] as body:
            content = body.read(_MOST_BYTES)
    try:
        told = json.loads(content)
        key, upload = str(told["key"]), str(told["uploadId"])
    except (ValueError, KeyError, TypeError):
        key = upload = ""
    if not is_key(key) or key.rpartition("/")[0] != name.rpartition("/")[0]:
        log.warning("bucket %s: %s is no mark of ours, and stays", bucket.name, bucket.full(name))
        return None
    return key, upload
