"""The manifest: the commit mark of a recovery point and all that is known of it.

It is written last. A backup that has no manifest does not exist. One manifest of the same content lies in every store.
"""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from strongroom.api.backuppolicy import Compression
from strongroom.api.encryption import AppliedEncryption
from strongroom.api.fields import Message, Name, ResourceName, Sha256, StrictFields, Time
from strongroom.api.result import MOST_ARTIFACTS, Artifact, TableRows
from strongroom.api.signing import KeyId

MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.json.sig"
"""The Ed25519 signature (64 bytes) of the manifest's bytes. It is written before the manifest, the commit mark."""
_RUN_LENGTH = 200


class ManifestFile(StrictFields):
    """One file of the recovery point, with every table."""

    artifact: Artifact = Field(description="The file, its digests and its proof.")
    hmac_sha256: Sha256 | None = Field(
        default=None,
        description="HMAC-SHA256 of the file as stored, where its encryption does not authenticate.",
    )
    tables: Annotated[list[TableRows], Field(max_length=100_000)] = Field(
        default_factory=list,
        description="Every table with data in the archive and its exact rows (verification Full).",
    )
    owner: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="Owner of the database."
    )
    extensions: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=1000)] = Field(
        default_factory=list, description="Extensions of the database, as name and version."
    )
    options: Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=512)] = Field(
        default_factory=list,
        description="Options that the dump was made with, without connection and secrets.",
    )
    changed: Annotated[list[Message], Field(max_length=1000)] = Field(
        default_factory=list,
        description="Files that changed or vanished while they were read, the first thousand.",
    )
    skipped: Annotated[list[Message], Field(max_length=1000)] = Field(
        default_factory=list, description="Sockets and devices that were not archived, the first thousand."
    )
    not_included: Annotated[list[Message], Field(max_length=512)] = Field(
        default_factory=list, description="What the source holds and this file does not."
    )


class Manifest(StrictFields):
    """A recovery point."""

    format: Literal["strongroom.dev/manifest/v1"] = Field(
        default="strongroom.dev/manifest/v1", description="Format of this file."
    )
    strongroom_version: Annotated[str, Field(max_length=64)] = Field(description="Version that wrote it.")
    namespace: Name = Field(description="Namespace of the policy.")
    policy: Name = Field(description="Name of the policy.")
    policy_uid: Annotated[str, Field(max_length=64)] = Field(description="metadata.uid of the policy.")
    run: ResourceName = Field(description="Name of the run.")
    run_uid: Annotated[str, Field(max_length=64)] = Field(description="metadata.uid of the run.")
    reason: Literal["Scheduled", "Manual", "Safety"] = Field(description="Why the run was made.")
    slot: Time = Field(description="The moment that the recovery point is filed under.")
    started_at: Time = Field(
        description="When reading started: the state that the artifacts show is not older."
    )
    finished_at: Time = Field(description="When the last artifact was verified.")
    outcome: Literal["Succeeded", "Partial"] = Field(
        default="Succeeded",
        description="Partial: files changed while they were read, and the policy does not accept that.",
    )
    compression: Compression = Field(description="Codec of every artifact.")
    encryption: AppliedEncryption | None = Field(
        default=None, description="Encryption of every artifact; without it they are in the clear."
    )
    recovery_point: Annotated[str, Field(max_length=512)] | None = Field(
        default=None,
        description="Key prefix that it was written under: a manifest that lies elsewhere was moved.",
    )
    signed_by: KeyId | None = Field(
        default=None,
        description="Key of its signature, which lies beside it; without it there is none.",
    )
    files: Annotated[list[ManifestFile], Field(min_length=1, max_length=MOST_ARTIFACTS)] = Field(
        description="The artifacts."
    )

    @property
    def verified(self) -> bool:
        """Whether it counts: whole, proved and read back."""
        return self.outcome == "Succeeded" and self.proved

    @property
    def proved(self) -> bool:
        """Whether every file was proved and read back; a partial recovery point may be."""
        return all(
            f.artifact.verification is not None and f.artifact.verification.read_back for f in self.files
        )

    @property
    def stored_bytes(self) -> int:
        """Bytes of all files as stored, the manifest excepted."""
        return sum(f.artifact.stored_bytes for f in self.files)


def policy_prefix(namespace: str, policy: str) -> str:
    """Key prefix of all recovery points of a policy, with its final slash."""
    return f"{namespace}/{policy}/"


def recovery_point_prefix(namespace: str, policy: str, slot: datetime, run: str, attempt: int = 1) -> str:
    """Key prefix of one recovery point, without a final slash; a later attempt never shares keys with an earlier one.

    A segment of a key takes 255 bytes: a very long name of a run ends in a digest instead.
    """
    if len(run) > _RUN_LENGTH:
        run = f"{run[:_RUN_LENGTH]}~{hashlib.sha256(run.encode()).hexdigest()[:16]}"
    stamp = slot.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    suffix = "" if attempt == 1 else f".{attempt}"
    return f"{policy_prefix(namespace, policy)}{stamp}-{run}{suffix}"
