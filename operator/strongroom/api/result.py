"""What a worker says: progress lines while it works, and one result at the end.

The result is a few KiB whatever the size of the database: it travels in an annotation, or as a pod's termination message.
The whole list of tables is in the manifest.
"""

from typing import Annotated, Literal

from pydantic import Field

from strongroom.api.encryption import EncryptionKind, Opener
from strongroom.api.fields import Bytes, Fields, Message, Name, ResourceName, Sha256, StrictFields, Time
from strongroom.api.restoring import DrillOutcome, RestoreOutcome, RestorePlan, RestoreStep

ArtifactKind = Literal["database", "globals", "files", "config"]
Outcome = Literal["Succeeded", "Partial", "Failed"]
CopyState = Literal["Succeeded", "Failed", "Behind"]
Signature = Literal["Valid", "Unsigned", "Untrusted", "Invalid"]
Stage = Literal[
    "Connect",
    "Hooks",
    "Dump",
    "ReadBack",
    "Commit",
    "CatchUp",
    "Prune",
    "CheckStore",
    "Catalogue",
    "Plan",
    "Fetch",
    "Restore",
    "Compare",
    "Swap",
    "HealthCheck",
    "RollBack",
    "DropReplaced",
]
VerificationLevel = Literal["List", "Full"]

LISTED_TABLES = 50
"""Tables whose row counts stand in a result; the manifest has them all."""
MOST_ARTIFACTS = 128
"""Files of one recovery point."""
MOST_POINTS = 1000
MOST_DAMAGED = 100
"""What one part of a catalogue tells of, at most."""
LARGEST_RESULT_BYTES = 200_000
"""A larger result is refused: an object's annotations hold 256 KiB together."""


class Progress(Fields):
    """The worker's last word."""

    stage: Stage = Field(
        description="Connect, Dump (with the verification of the stream), ReadBack, Commit, CatchUp or Prune."
    )
    source: Name | None = Field(default=None, description="Source being read.")
    database: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="Database being read."
    )
    read_bytes: Bytes = Field(default=0, description="Plain bytes read so far, all sources.")
    stored_bytes: Bytes = Field(default=0, description="Bytes written to each store so far.")
    expected_bytes: Bytes | None = Field(
        default=None,
        description="Estimate of the plain bytes to read, from earlier runs or the databases' sizes.",
    )
    steps: Annotated[list[RestoreStep], Field(max_length=32)] = Field(
        default_factory=list, description="The steps of a restore so far."
    )
    time: Time = Field(description="When this was said.")


class TableRows(Fields):
    """Rows of one table in a dump, counted from the archive itself."""

    table: Annotated[str, Field(max_length=1024)] = Field(
        description="Qualified name of the table, quoted as SQL where needed."
    )
    rows: Annotated[int, Field(ge=0)] = Field(description="Exact number of rows in the archive.")


class ArtifactVerification(Fields):
    """What was proved of an artifact, and by what."""

    level: VerificationLevel = Field(
        description="List: table of contents read. Full: every byte read by pg_restore, every row counted."
    )
    read_back: bool = Field(
        description="Whether the bytes of every good copy were read back and matched the digest."
    )
    read_back_to: Literal["Plain", "Stored"] = Field(
        default="Plain",
        description="Plain: the bytes read back were decrypted and decompressed, and the plain bytes matched, too; once, for every copy has the same bytes. Stored: they are encrypted, and no private key was at hand.",
    )
    time: Time = Field(description="When the proof was complete.")


class Artifact(Fields):
    """One file of a recovery point."""

    source: Name = Field(description="Source that it came from.")
    kind: ArtifactKind = Field(
        description="database (pg_dump custom format), globals (SQL of roles and tablespaces), files or config (tar)."
    )
    database: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="Database that was dumped."
    )
    container: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Container that it was read in, where a label names the containers."
    )
    file: Annotated[str, Field(max_length=512)] = Field(
        description="File name below the recovery point's key prefix."
    )
    plain_bytes: Bytes = Field(description="Length of the dump itself.")
    plain_sha256: Sha256 = Field(description="SHA-256 of the dump itself.")
    stored_bytes: Bytes = Field(description="Length of the file as stored.")
    stored_sha256: Sha256 = Field(description="SHA-256 of the file as stored.")
    encryption: EncryptionKind | None = Field(
        default=None,
        description="The stock tool that decrypts the file; without it the file is in the clear.",
    )
    opened_by: Opener | None = Field(
        default=None, description="Whether a private key or the passphrase decrypts."
    )
    iterations: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="PBKDF2 iterations (openssl)."
    )
    server_version: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Version of the PostgreSQL server."
    )
    client_version: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Version of pg_dump."
    )
    table_count: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Tables with data in the archive."
    )
    row_count: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Rows of all tables, counted exactly (Full only)."
    )
    row_counts: Annotated[list[TableRows], Field(max_length=LISTED_TABLES)] = Field(
        default_factory=list,
        description="Rows of the largest tables (Full only); the manifest lists every table.",
    )
    member_count: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Members of a tar archive: files, folders and links."
    )
    member_bytes: Bytes | None = Field(
        default=None, description="Bytes of the files in a tar archive, as large as they are when unpacked."
    )
    changed_count: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Files that changed or vanished while they were read; the manifest names them."
    )
    skipped_count: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Sockets and devices, which are not archived; the manifest names them."
    )
    verification: ArtifactVerification | None = Field(
        default=None, description="What was proved, or nothing."
    )


class Copy(Fields):
    """What one store holds of a recovery point, and what the store said of itself."""

    store: Name = Field(description="BackupStore.")
    state: CopyState = Field(
        description="Succeeded: complete and read back. Failed: the store failed. Behind: the store was too slow, and the copy is made later. What failed or is behind is caught up from a good copy."
    )
    reason: Annotated[str, Field(max_length=64)] | None = Field(default=None, description="Why it failed.")
    message: Message | None = Field(default=None, description="Why it failed, in words.")
    manifest_key: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Key of the manifest: the commit mark."
    )
    verified_time: Time | None = Field(default=None, description="When the copy was last read back whole.")


class RetentionOutcome(Fields):
    """What retention did in one store."""

    store: Name = Field(description="BackupStore.")
    kept: Annotated[int, Field(ge=0)] = Field(default=0, description="Recovery points kept.")
    foreign: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Of those kept, recovery points of another policy of the same name (an earlier one, or one elsewhere): this policy's rules never delete them.",
    )
    untrusted: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Recovery points that do not count and are never deleted: their manifest is damaged or lies in a wrong place, or, where the policy signs, is not signed by a trusted key.",
    )
    untrusted_message: Message | None = Field(
        default=None, description="The first of those, each with what is wrong with it."
    )
    deleted_runs: Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=1000)] = Field(
        default_factory=list,
        description="Runs whose recovery points were deleted (with dryRun: would have been).",
    )
    locked: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Of those kept, recovery points that the rules no longer keep and a lock of the store does.",
    )
    locked_until: Time | None = Field(
        default=None, description="When the first of those locks ends, as far as it has an end."
    )
    dry_run: bool = Field(default=False, description="Whether nothing was really deleted.")
    blocked: Message | None = Field(
        default=None, description="Why nothing was deleted although rules are set."
    )


class StoreReport(Fields):
    """What a store said of itself."""

    store: Name = Field(description="BackupStore.")
    ready: bool = Field(description="Whether it can be listed and written.")
    reason: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Why it is not ready."
    )
    message: Message | None = Field(
        default=None, description="Why it is not ready, in words; or what is worth knowing of one that is."
    )
    capabilities: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)] = Field(
        default_factory=list, description="What the medium can do."
    )
    recovery_points: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Recovery points of this policy, or of all policies in a store check."
    )
    total_bytes: Bytes | None = Field(default=None, description="Stored bytes of those recovery points.")
    free_bytes: Bytes | None = Field(default=None, description="Free space, where known.")


class CataloguePoint(Fields):
    """One recovery point as its manifest in a store tells of it."""

    recovery_point: Annotated[str, Field(max_length=512)] = Field(
        description="Key prefix of the manifest and its files, as found."
    )
    policy: Name = Field(description="Name of the policy.")
    policy_uid: Annotated[str, Field(max_length=64)] = Field(description="metadata.uid of the policy.")
    run: ResourceName = Field(description="Name of the run.")
    run_uid: Annotated[str, Field(max_length=64)] = Field(description="metadata.uid of the run.")
    reason: Literal["Scheduled", "Manual", "Safety"] = Field(description="Why the run was made.")
    slot: Time = Field(description="The moment that it is filed under.")
    started_at: Time = Field(description="When reading started.")
    finished_at: Time = Field(description="When the last artifact was verified.")
    outcome: Literal["Succeeded", "Partial"] = Field(
        description="Partial: files changed while they were read."
    )
    complete: bool = Field(description="Whether every file is there in its length.")
    signature: Signature = Field(
        description="Valid; Unsigned; Untrusted: by a key that is not known; Invalid: the manifest, its signature or its place was changed."
    )
    manifest_sha256: Sha256 = Field(description="SHA-256 of the manifest's bytes.")
    artifacts: Annotated[list[Artifact], Field(max_length=MOST_ARTIFACTS)] = Field(
        description="Its files, without rows by table."
    )


class CatalogueReport(Fields):
    """What one store holds of a namespace, or a part of it: as much as a result can tell."""

    store: Name = Field(description="BackupStore.")
    listed_at: Time = Field(description="When the listing began: what was committed later is not in it.")
    points: Annotated[list[CataloguePoint], Field(max_length=MOST_POINTS)] = Field(
        default_factory=list, description="Recovery points in the order of their keys."
    )
    damaged: Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=MOST_DAMAGED)] = Field(
        default_factory=list,
        description="Key prefixes whose manifest cannot be read, or is of another namespace or policy than its place.",
    )
    after: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Where this part began: the prefix after which it lists, if any."
    )
    next: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Where the next part begins; without it this was the last."
    )


class WorkResult(StrictFields):
    """The one result of a work order. A worker that leaves none has failed, whatever its exit code."""

    version: Literal[1] = Field(default=1, description="Version of this message.")
    run_uid: Annotated[str, Field(max_length=64)] = Field(
        description="The order's identity: a result of another order is refused."
    )
    outcome: Outcome = Field(
        description="Succeeded only if every source is read, verified, and in as many stores as must hold it."
    )
    reason: Annotated[str, Field(max_length=64)] = Field(
        description="Succeeded, or a name of the errors table."
    )
    message: Annotated[str, Field(max_length=1024)] = Field(
        default="", description="Text for people: object, field, way out."
    )
    retryable: bool = Field(default=False, description="Whether trying the same order again may succeed.")
    started_at: Time = Field(description="When the worker started.")
    finished_at: Time = Field(description="When the worker wrote this.")
    recovery_point: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Key prefix of the artifacts."
    )
    artifacts: Annotated[list[Artifact], Field(max_length=MOST_ARTIFACTS)] = Field(
        default_factory=list, description="What was made."
    )
    contents: Literal["Whole", "Changed"] | None = Field(
        default=None,
        description="Changed: files changed while they were read, and the policy does not accept that.",
    )
    manifest_sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of the manifest, the same in every store."
    )
    copies: Annotated[list[Copy], Field(max_length=8)] = Field(
        default_factory=list, description="What each store holds."
    )
    retention: Annotated[list[RetentionOutcome], Field(max_length=8)] = Field(
        default_factory=list, description="What was deleted."
    )
    catalogue: CatalogueReport | None = Field(default=None, description="For kind Catalogue.")
    plan: RestorePlan | None = Field(default=None, description="For kind PlanRestore.")
    restore: RestoreOutcome | None = Field(
        default=None, description="For kinds Restore and DropReplaced, also after a failure."
    )
    drill: DrillOutcome | None = Field(default=None, description="For kind Drill, if it could run.")
    stores: Annotated[list[StoreReport], Field(max_length=8)] = Field(
        default_factory=list, description="What the stores said."
    )
