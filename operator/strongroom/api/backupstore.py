"""BackupStore: a place that keeps copies, and how it is."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from strongroom.api.conditions import Condition
from strongroom.api.fields import (
    AbsolutePath,
    Bytes,
    Duration,
    Fields,
    ResourceName,
    SecretKeyReference,
    Time,
    parse_duration,
)
from strongroom.api.rules import rule, with_rules
from strongroom.api.sshservers import SshServer

PREFIX = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*/?$"
"""Names that mean themselves everywhere: in a URL, in a listing, on a disk that they are copied to."""


class LocalStore(Fields):
    """A folder on the machine where the Job runs, or in a volume of the cluster."""

    path: AbsolutePath = Field(
        description="Absolute path of an existing folder. It is never made: a missing one may be an unmounted disk."
    )
    persistent_volume_claim: ResourceName | None = Field(
        default=None,
        description="PersistentVolumeClaim of this namespace that Jobs of a cluster mount at the path. Jobs of Docker hosts cannot use such a store.",
    )


class S3Store(Fields):
    """A bucket of AWS S3 or of a compatible server. Neither the bucket nor its settings are ever made or changed."""

    model_config = with_rules(
        rule(
            "has(self.accessKeySecret) == has(self.secretKeySecret)",
            "needs both accessKeySecret and secretKeySecret, or neither",
        ),
        rule(
            "!has(self.kmsKeyId) || (has(self.serverSideEncryption) && self.serverSideEncryption == 'aws:kms')",
            "kmsKeyId needs serverSideEncryption aws:kms",
        ),
    )

    bucket: Annotated[str, Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$")] = (
        Field(description="Name of an existing bucket.")
    )
    prefix: Annotated[str, Field(min_length=1, max_length=256, pattern=PREFIX)] | None = Field(
        default=None,
        description="What every key begins with, as a folder: names joined by slashes. Default: none.",
    )
    endpoint: Annotated[str, Field(max_length=512, pattern=r"^https?://[^\s@/?#]+/?$")] | None = Field(
        default=None,
        description="URL of the server, if it is not AWS: scheme, host and port. By http:// whatever is stored is read on the way.",
    )
    region: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9-]+$")] | None = Field(
        default=None,
        description="Region of the bucket. Default: us-east-1 with an endpoint, else what the standard configuration of AWS says.",
    )
    path_style: bool | None = Field(
        default=None,
        description="Whether the bucket's name stands in the path instead of the host name. Default: true with an endpoint, else only where a certificate could not cover the name.",
    )
    ca_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding the certificates (PEM) that the endpoint's must be signed by. Default: those that boto3 trusts.",
    )
    access_key_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding the access key id. Without it the host's own credentials are used (its role, or AWS_* files that its agent names), where its agent allows the bucket by name.",
    )
    secret_key_secret: SecretKeyReference | None = Field(
        default=None, description="Secret key holding the secret access key."
    )
    storage_class: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z0-9_]+$")] | None = Field(
        default=None,
        description="Storage class of the artifacts, one that can be read at once: each is read back. Default: the bucket's.",
    )
    server_side_encryption: Literal["AES256", "aws:kms"] | None = Field(
        default=None,
        description="Encryption by the server, which holds the key: AES256 or aws:kms. Default: the bucket's.",
    )
    kms_key_id: Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^[^\s]+$")] | None = Field(
        default=None, description="Key of the server's key service, for aws:kms. Default: the account's own."
    )

    @model_validator(mode="after")
    def _whole(self) -> "S3Store":
        if (self.access_key_secret is None) != (self.secret_key_secret is None):
            raise ValueError("needs both accessKeySecret and secretKeySecret, or neither")
        if self.kms_key_id is not None and self.server_side_encryption != "aws:kms":
            raise ValueError("kmsKeyId needs serverSideEncryption aws:kms")
        return self

    @property
    def address(self) -> str:
        """Server and bucket in one word, as an agent's allowances name it: `s3.example:9000/bucket`; AWS is `aws`."""
        return f"{urlsplit(self.endpoint).netloc if self.endpoint else 'aws'}/{self.bucket}"

    def url(self, key: str) -> str:
        """Where a key is, as clients of S3 name it."""
        return f"s3://{self.bucket}/{self.key_prefix}{key}"

    @property
    def key_prefix(self) -> str:
        """What stands before every key: nothing, or something with a final slash."""
        return f"{self.prefix.rstrip('/')}/" if self.prefix else ""


class SftpStore(SshServer):
    """A folder on an SSH server, by SFTP; serves those who use scp today."""

    model_config = with_rules(
        rule(
            "has(self.privateKeySecret) != has(self.passwordSecret)",
            "needs exactly one of privateKeySecret and passwordSecret",
        ),
    )

    private_key_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding the private key, as ssh-keygen writes it, without a passphrase.",
    )
    password_secret: SecretKeyReference | None = Field(
        default=None, description="Secret key holding the password, where the server takes no keys."
    )

    @model_validator(mode="after")
    def _one_credential(self) -> "SftpStore":
        if (self.private_key_secret is None) == (self.password_secret is None):
            raise ValueError("needs exactly one of privateKeySecret and passwordSecret")
        return self


class RsyncStore(SshServer):
    """A folder on an SSH server, by rsync, also of an account that rrsync restricts to it.

    Each file waits whole in the worker's scratch folder, before it is sent and after it is fetched.
    """

    path: Annotated[str, Field(min_length=2, max_length=1024, pattern=r"^(/[A-Za-z0-9._@+:=,-]+)+/?$")] = (
        Field(
            description="Absolute path of an existing folder on the server, of letters, digits and ._@+:=,- alone: a shell reads it there. For an account of rrsync: relative to its folder."
        )
    )
    private_key_secret: SecretKeyReference = Field(
        description="Secret key holding the private key, as ssh-keygen writes it, without a passphrase."
    )


class ObjectLock(Fields):
    """Write-once protection of each file, by the server, from the moment that it is written."""

    model_config = with_rules(rule("self.duration.matches('[1-9]')", "duration must be longer than nothing"))

    mode: Literal["Governance", "Compliance"] = Field(
        description="Governance: those with a special permission may lift the lock early. Compliance: nobody may."
    )
    duration: Duration = Field(
        description="How long each file is locked. Retention deletes a recovery point when its locks have ended, never earlier."
    )

    @model_validator(mode="after")
    def _lasts(self) -> "ObjectLock":
        if not parse_duration(self.duration):
            raise ValueError("duration must be longer than nothing")
        return self


class StoreLimits(Fields):
    """How hard a store is worked, and how long it is waited for."""

    model_config = with_rules(
        rule(
            "!has(self.stallTimeout) || self.stallTimeout.matches('[1-9]')",
            "stallTimeout must be longer than nothing",
        )
    )

    upload_bytes_per_second: Annotated[int, Field(ge=16_384, le=2**40)] | None = Field(
        default=None,
        description="Most bytes written in a second, by each Job; a bucket's parts go out faster, and later. Default: no limit.",
    )
    download_bytes_per_second: Annotated[int, Field(ge=16_384, le=2**40)] | None = Field(
        default=None, description="Most bytes read in a second, by each Job. Default: no limit."
    )
    retry_for: Duration = Field(
        default="2m",
        description="For how long what may pass (a broken connection, a busy server) is tried again, with growing pauses.",
    )
    stall_timeout: Duration = Field(
        default="10m",
        description="A store that neither takes nor gives a byte nor answers for this long has failed.",
    )

    @model_validator(mode="after")
    def _patient(self) -> "StoreLimits":
        if not parse_duration(self.stall_timeout):
            raise ValueError("stallTimeout must be longer than nothing")
        return self


class BackupStoreSpec(Fields):
    """Exactly one type of store, and what it counts as in the 3-2-1 rule."""

    model_config = with_rules(
        rule(
            "[has(self.local), has(self.s3), has(self.sftp), has(self.rsync)].filter(x, x).size() == 1",
            "needs exactly one of local, s3, sftp and rsync",
        ),
    )

    local: LocalStore | None = Field(default=None, description="A folder on the machine where the Job runs.")
    s3: S3Store | None = Field(default=None, description="A bucket of AWS S3 or of a compatible server.")
    sftp: SftpStore | None = Field(default=None, description="A folder on an SSH server, by SFTP.")
    rsync: RsyncStore | None = Field(default=None, description="A folder on an SSH server, by rsync.")
    media: Literal["disk", "object", "tape", "other"] = Field(
        default="disk", description="Kind of medium: two kinds are asked for by the 3-2-1 rule."
    )
    offsite: bool = Field(default=False, description="Whether the store is in another place than the data.")
    object_lock: ObjectLock | None = Field(
        default=None, description="Write-once protection of each artifact."
    )
    limits: StoreLimits = Field(default_factory=StoreLimits, description="Rates, retries and patience.")

    @model_validator(mode="after")
    def _one_type(self) -> "BackupStoreSpec":
        if sum(kind is not None for kind in (self.local, self.s3, self.sftp, self.rsync)) != 1:
            raise ValueError("needs exactly one of local, s3, sftp and rsync")
        return self

    @property
    def type(self) -> Literal["local", "s3", "sftp", "rsync"]:
        """Which type it is."""
        if self.local is not None:
            return "local"
        if self.s3 is not None:
            return "s3"
        return "sftp" if self.sftp is not None else "rsync"


class BackupStoreStatus(Fields):
    """How the store is, as the last Job saw it."""

    observed_generation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="metadata.generation that this status speaks of."
    )
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        description="Ready: whether the store can be listed and written. Synced: whether its catalogue was read whole, and all of it can be used. PlaceShared when another store is the same place.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    type: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="local, s3, sftp or rsync."
    )
    capabilities: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)] = Field(
        default_factory=list, description="What the medium can do, as probed."
    )
    artifact_count: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Recovery points in the store, all policies."
    )
    total_bytes: Bytes | None = Field(default=None, description="Stored bytes of those recovery points.")
    free_bytes: Bytes | None = Field(default=None, description="Free space, where known.")
    last_contact_time: Time | None = Field(default=None, description="When a Job last reached the store.")
    last_check_request: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="The request (annotation strongroom.dev/check-requested) answered last."
    )
    last_sync_time: Time | None = Field(
        default=None, description="When this namespace's catalogue of the store was last read whole."
    )
    last_sync_request: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="The request (annotation strongroom.dev/sync-requested) answered last."
    )
    points_found: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Whole recovery points of this namespace that the last sync found."
    )
    points_damaged: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Recovery points whose manifest cannot be read, or that lack files, as of the last sync.",
    )
    points_refused: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Recovery points whose signature is not good enough to be trusted, as of the last sync.",
    )
