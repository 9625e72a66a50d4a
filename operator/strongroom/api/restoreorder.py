"""The parts of a work order that restore: what to choose, where it goes, what happens to services; and what a drill does."""

from typing import Annotated, Literal

from pydantic import Field

from strongroom.api.containers import VolumeName
from strongroom.api.drills import DrillApplication, Image, SqlCheck
from strongroom.api.fields import (
    AbsolutePath,
    Identifier,
    Name,
    ResourceName,
    SecretKeyReference,
    Sha256,
    StrictFields,
    Time,
)
from strongroom.api.healthchecks import HealthCheck
from strongroom.api.hooks import Hooks
from strongroom.api.restoring import MOST_ITEMS, Replaced
from strongroom.api.sources import Source
from strongroom.api.workloads import MOST_SERVICES, Workload


class Choice(StrictFields):
    """Which recovery point. The stores' manifests decide; what the operator knows of it is compared with them.

    With `run`: that run's. Without: the policy's newest verified one (at or before `as_of`), Safety runs excepted.
    """

    policy: Name = Field(description="Name of the policy: part of every key.")
    run: ResourceName | None = Field(default=None, description="The run that made it.")
    as_of: Time | None = Field(
        default=None, description="Newest verified at or before this time; none is an error."
    )
    recovery_point: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Its key prefix, where it is known: nothing need be listed then."
    )
    manifest_sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of its manifest, where it is known: another one is refused."
    )
    sources: Annotated[list[Name], Field(max_length=16)] = Field(
        default_factory=list, description="Only these sources; none means all."
    )
    databases: Annotated[list[Identifier], Field(max_length=64)] = Field(
        default_factory=list, description="Only these databases; none means all."
    )


class Opening(StrictFields):
    """What opens and proves a recovery point."""

    decryption_keys: Annotated[list[SecretKeyReference], Field(max_length=4)] = Field(
        default_factory=list,
        description="Private keys or passphrases, the request's first; the first that fits is used.",
    )
    trusted_keys: Annotated[list[SecretKeyReference], Field(max_length=4)] = Field(
        default_factory=list, description="Public or private keys (PEM) whose signatures count."
    )
    must_be_signed: bool = Field(
        default=False, description="Whether an unsigned manifest is refused: so with every policy that signs."
    )


class Overwritten(StrictFields):
    """Something that a restore may put the new in the place of."""

    source: Name = Field(description="Source of the policy.")
    database: Identifier | None = Field(
        default=None, description="Database that was dumped, where it is one."
    )
    container: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Container, where a label names the containers."
    )


class RestoreOrder(StrictFields):
    """Plan a restore (kind PlanRestore: nothing is changed) or carry it out (kind Restore).

    The order's stores are those to read from, in this order; a copy that fails is passed over for the next good one.
    """

    request: ResourceName = Field(description="Name of the RestoreRequest.")
    choice: Choice = Field(description="Which recovery point.")
    opening: Opening = Field(default_factory=Opening, description="What opens and proves it.")
    mode: Literal["InPlace", "NewDatabase", "Directory"] = Field(description="Where to.")
    targets: Annotated[list[Source], Field(max_length=16)] = Field(
        default_factory=list,
        description="Where each source's data goes, by the source's name: server and role, volume or path.",
    )
    database: Identifier | None = Field(
        default=None, description="Name of the new database, for NewDatabase."
    )
    path: AbsolutePath | None = Field(default=None, description="New or empty folder, for Directory.")
    volume: VolumeName | None = Field(default=None, description="New or empty volume, for Directory.")
    persistent_volume_claim: ResourceName | None = Field(
        default=None, description="Empty PersistentVolumeClaim, for Directory."
    )
    strategy: Literal["Swap", "Clean", "DropAndCreate"] = Field(default="Swap", description="How, in place.")
    hooks: Hooks | None = Field(
        default=None, description="Services stopped around the swap: `stop` and `stopTimeout` alone."
    )
    workloads: Annotated[list[Workload], Field(max_length=MOST_SERVICES)] = Field(
        default_factory=list,
        description="Services of a cluster stopped around the swap, by asking the operator.",
    )
    health_check: HealthCheck | None = Field(default=None, description="Checked after services are started.")
    safety_run: ResourceName | None = Field(
        default=None,
        description="BackupRun that holds the present state: the way back where there is no other.",
    )
    keeps_replaced: bool = Field(
        default=True,
        description="Whether what was replaced is kept (a Drop order ends that) or dropped at once.",
    )
    allow_special_files: bool = Field(default=False, description="Also restore devices and set-id bits.")
    jobs: Annotated[int, Field(ge=1, le=32)] | None = Field(default=None, description="pg_restore --jobs.")
    overwrites: Annotated[list[Overwritten], Field(max_length=MOST_ITEMS)] = Field(
        default_factory=list,
        description="What was there when it was planned, and may be overwritten, for the user has confirmed it: nothing else is.",
    )

    @property
    def touched(self) -> list[Source]:
        """The targets that something is restored into. In mode Directory that is the folder, volume or claim alone."""
        return [] if self.mode == "Directory" else self.targets

    @property
    def needs_engine(self) -> bool:
        """Whether a Docker Engine must be asked: for services, a check inside a container, a volume, or a target."""
        checked = self.health_check is not None and self.health_check.exec is not None
        needing = any(source.needs_engine for source in self.touched)
        return self.hooks is not None or checked or self.volume is not None or needing


class DropOrder(StrictFields):
    """Drop what a restore replaced and kept."""

    request: ResourceName = Field(description="Name of the RestoreRequest.")
    policy: Name = Field(description="Name of the policy.")
    targets: Annotated[list[Source], Field(max_length=16)] = Field(
        description="The sources' servers, volumes and paths, as in the restore."
    )
    replaced: Annotated[list[Replaced], Field(min_length=1, max_length=MOST_ITEMS)] = Field(
        description="What to drop. Only names that the restore itself has made are."
    )


class DrillOrder(StrictFields):
    """Restore into a throw-away environment, compare and check, and remove all of it."""

    choice: Choice = Field(description="Which recovery point.")
    opening: Opening = Field(default_factory=Opening, description="What opens and proves it.")
    image: Image | None = Field(
        default=None,
        description="Image of the throw-away server; without one, that of `targets`, or the host's programs.",
    )
    targets: Annotated[list[Source], Field(max_length=16)] = Field(
        default_factory=list,
        description="The policy's sources: their containers tell an image. They are not touched.",
    )
    checks: Annotated[list[SqlCheck], Field(max_length=32)] = Field(
        default_factory=list, description="Queries."
    )
    application: DrillApplication | None = Field(default=None, description="Started on what was restored.")
    memory_bytes: Annotated[int, Field(ge=1)] = Field(description="Memory of the throw-away server.")
    jobs: Annotated[int, Field(ge=1, le=32)] | None = Field(default=None, description="pg_restore --jobs.")

    @property
    def needs_engine(self) -> bool:
        """Whether a container is started, or one that is backed up tells the image."""
        inside = any(source.postgres is not None and source.postgres.host is None for source in self.targets)
        return self.image is not None or self.application is not None or inside
