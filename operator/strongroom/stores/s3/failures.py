"""What a server's answers and a broken connection mean: the one table, from S3's words to ours."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from strongroom.api.backupstore import S3Store
from strongroom.api.errors import Reason, StrongroomError, excerpt

_TEXT = 200


@dataclass(frozen=True)
class _Row:
    """A reason, the field to look at (with how it is now, in braces), and words."""

    reason: Reason
    field: str
    words: str


_BUCKET, _KEYS, _REGION = "s3.bucket {bucket}", "s3.accessKeySecret", "s3.region {region}"
_SECRET_KEY, _ENDPOINT, _LOCK = "s3.secretKeySecret", "s3.endpoint {endpoint}", "objectLock"
_UNKNOWN_KEY = _Row(Reason.AuthenticationFailed, _KEYS, "the server does not know this access key")
_WRONG_KEY = _Row(Reason.AuthenticationFailed, _SECRET_KEY, "the server refuses what this key has signed")
_OLD_TOKEN = _Row(Reason.AuthenticationFailed, _KEYS, "the credentials have expired")
_SKEWED = _Row(Reason.ClockSkewed, _ENDPOINT, "the server's clock and this machine's are too far apart")
_NO_BUCKET = _Row(Reason.StoreMissing, _BUCKET, "does not exist, and is never made")
_ELSEWHERE = _Row(Reason.InvalidSpec, _REGION, "the bucket is in another region")
_DENIED = _Row(Reason.StoreDenied, _BUCKET, "the credentials lack {permission}")
_BUSY = _Row(Reason.StoreUnreachable, _ENDPOINT, "asks for fewer requests, is not well, or is no S3 server")
_FULL = _Row(Reason.StoreFull, _BUCKET, "there is no room left, or a quota is used up")
_CLASS = _Row(
    Reason.InvalidSpec,
    "s3.storageClass",
    "the server does not have it, or what is in it cannot be read at once",
)
_KMS = _Row(Reason.InvalidSpec, "s3.kmsKeyId", "the server cannot use this key")
_NO_LOCK = _Row(Reason.InvalidSpec, _LOCK, "the bucket does not lock objects")

_CODES = {
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _WRONG_KEY,
    "ExpiredToken": _OLD_TOKEN,
    "InvalidToken": _OLD_TOKEN,
    "RequestTimeTooSkewed": _SKEWED,
    "RequestExpired": _SKEWED,
    "NoSuchBucket": _NO_BUCKET,
    "PermanentRedirect": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "InternalError": _BUSY,
    "InsufficientStorage": _FULL,
    "QuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
    "InvalidStorageClass": _CLASS,
    "InvalidObjectState": _CLASS,
    "KMS.NotFoundException": _KMS,
    "KMS.DisabledException": _KMS,
    "KMS.KMSInvalidStateException": _KMS,
    "ObjectLockConfigurationNotFoundError": _NO_LOCK,
    "InvalidBucketState": _NO_LOCK,
    "NoSuchUpload": _Row(Reason.StoreFailed, _BUCKET, "the upload was swept away while it was written"),
    "KeyTooLongError": _Row(
        Reason.InvalidSpec, "s3.prefix", "with it, keys are longer than the server takes"
    ),
}
"""By the server's own word: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html."""
_STATUSES = {
    301: _ELSEWHERE,
    401: _WRONG_KEY,
    403: _DENIED,
    429: _BUSY,
    500: _BUSY,
    502: _BUSY,
    503: _BUSY,
    504: _BUSY,
    507: _FULL,
}
"""Where there is no word: the answer to HEAD has no body, and a proxy in between has words of its own."""
_OTHER = _Row(Reason.StoreFailed, _BUCKET, "the server refused {operation}")

_SILENT = _Row(Reason.StoreUnreachable, _ENDPOINT, "cannot be reached")
_CUT = _Row(Reason.StoreUnreachable, _ENDPOINT, "the connection broke off, or nothing came any more")
_UNTRUSTED = _Row(Reason.TlsFailed, "s3.caSecret", "the certificate of {endpoint} is not trusted")
_NOBODY = _Row(Reason.AuthenticationFailed, _KEYS, "is not set, and this host has no credentials of its own")
_STRANGE = _Row(Reason.StoreFailed, _ENDPOINT, "does not answer as an S3 server does")
_EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], _Row], ...] = (
    ((botocore_errors.SSLError, ssl.SSLError), _UNTRUSTED),
    ((botocore_errors.EndpointConnectionError, botocore_errors.ConnectTimeoutError), _SILENT),
    ((botocore_errors.ProxyConnectionError,), _SILENT),
    ((botocore_errors.HTTPClientError, botocore_errors.ResponseStreamingError), _CUT),
    ((botocore_errors.IncompleteReadError, HTTPError, ConnectionError, TimeoutError), _CUT),
    (
        (
            botocore_errors.NoCredentialsError,
            botocore_errors.PartialCredentialsError,
            botocore_errors.CredentialRetrievalError,
            botocore_errors.ProfileNotFound,
        ),
        _NOBODY,
    ),
    (
        (botocore_errors.NoRegionError, botocore_errors.InvalidRegionError),
        _Row(Reason.InvalidSpec, _REGION, "is no region"),
    ),
    ((ResponseParserError, botocore_errors.PaginationError), _STRANGE),
    ((BotoCoreError, ValueError), _Row(Reason.StoreFailed, _BUCKET, "the request could not be made")),
    ((OSError,), _CUT),
)
"""By the client's own exceptions; the first row that fits."""
BROKEN = (botocore_errors.HTTPClientError, botocore_errors.ResponseStreamingError, botocore_errors.IncompleteReadError, HTTPError, ConnectionError, TimeoutError)  # fmt: skip
"""What is raised in the middle of an answer that breaks off."""

_PERMISSIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "HeadObject": "s3:GetObject",
    "UploadPart": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject and, with versions, s3:DeleteObjectVersion",
}


@contextmanager
def s3_failures(spec: S3Store) -> Iterator[None]:
    """Turn whatever the client raises inside into a StrongroomError that names a field of that store."""
    try:
        yield
    except StrongroomError:
        raise
    except (ClientError, BotoCoreError, ResponseParserError, HTTPError, OSError, ValueError) as error:
        raise explain(error, spec) from error


def explain(error: Exception, spec: S3Store) -> StrongroomError:
    """The row of the table for that failure, in words."""
    operation = str(getattr(error, "operation_name", ""))
    row, foreign = _find(error)
    known = {
        "bucket": spec.bucket,
        "region": spec.region or "(not set)",
        "endpoint": spec.endpoint or "(AWS)",
        "operation": operation,
        "permission": _PERMISSIONS.get(operation, f"s3:{operation}"),
    }
    text = f"{row.field}: {row.words}".format_map(known)
    return StrongroomError(row.reason, f"{text} ({excerpt(foreign, _TEXT)})")


def status_of(error: ClientError) -> int:
    """The HTTP status of a refusal."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """The server's own word for it; a bare number where there was no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _find(error: Exception) -> tuple[_Row, str]:
    if isinstance(error, ClientError):
        code, status = code_of(error), status_of(error)
        message = error.response.get("Error", {}).get("Message", "")
        row = _CODES.get(code) or _STATUSES.get(status, _OTHER)
        if code == "InvalidRequest" and "object lock" in message.lower():
            row = _NO_LOCK
        return row, f"{code} {message}"
    row = next(row for kinds, row in _EXCEPTIONS if isinstance(error, kinds))
    return row, f"{type(error).__name__}: {error}"
