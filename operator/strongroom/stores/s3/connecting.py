"""The client of one bucket: credentials, certificates, addresses, and how patient it is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import boto3
from botocore.config import Config

from strongroom import __version__
from strongroom.api.backupstore import S3Store
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.stores.credentials import Secrets
from strongroom.stores.s3.failures import s3_failures

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Patience:
    """How long a silent server is waited for, and how often a request is made before it has failed."""

    connect_seconds: float = 10
    read_seconds: float = 60
    attempts: int = 5


def connect(spec: S3Store, secrets: Secrets, patience: Patience) -> "S3Client":
    """A client, safe for threads. Sends nothing yet, but may ask the host's own sources of credentials.

    Throttling (429, SlowDown), 5xx and broken connections are retried with growing pauses of up to 20 seconds.
    Checksums beyond what S3 has always had are left out: compatible servers refuse them.
    """
    config = Config(
        connect_timeout=patience.connect_seconds,
        read_timeout=patience.read_seconds,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        s3={"addressing_style": _style(spec)},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lag behind
        user_agent_extra=f"strongroom/{__version__}",
    )
    with s3_failures(spec):
        session = boto3.session.Session(
            aws_access_key_id=_word(spec.access_key_secret, "accessKeySecret", secrets),
            aws_secret_access_key=_word(spec.secret_key_secret, "secretKeySecret", secrets),
            region_name=spec.region or ("us-east-1" if spec.endpoint else None),
        )
        return session.client(
            "s3", endpoint_url=spec.endpoint, verify=_authorities(spec, secrets), config=config
        )


def _style(spec: S3Store) -> Literal["path", "virtual", "auto"]:
    """On AWS in the host name, but for names with dots, which no certificate covers; elsewhere in the path."""
    if spec.path_style is None:
        return "path" if spec.endpoint else "auto"
    return "path" if spec.path_style else "virtual"


def _word(reference: SecretKeyReference | None, field: str, secrets: Secrets) -> str | None:
    """What a Secret holds, without the line break that many a Secret made from a file ends with."""
    if reference is None:
        return None
    value = secrets.read(reference, f"s3.{field}").decode(errors="replace").strip()
    if not value or not value.isprintable():
        words = f"s3.{field}: key {reference.key} of Secret {reference.name} holds no line of printable text"
        raise StrongroomError(Reason.AuthenticationFailed, words)
    return value


def _authorities(spec: S3Store, secrets: Secrets) -> str | None:
    return None if spec.ca_secret is None else str(secrets.path(spec.ca_secret, "s3.caSecret"))
