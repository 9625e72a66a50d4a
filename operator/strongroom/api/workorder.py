"""The work order: all that a worker is told. It holds no secret: secrets are files, `<secrets folder>/<Secret>/<key>`."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from strongroom.api.backuppolicy import Compression, Retention, Verification
from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.encryption import Encryption
from strongroom.api.fields import Name, ResourceName, SecretKeyReference, Sha256, StrictFields, Time
from strongroom.api.hooks import Hooks
from strongroom.api.restoreorder import DrillOrder, DropOrder, RestoreOrder
from strongroom.api.signing import Signing
from strongroom.api.sources import Source

OrderKind = Literal[
    "Backup", "CatchUp", "CheckStore", "Catalogue", "PlanRestore", "Restore", "DropReplaced", "Drill"
]


class OrderStore(StrictFields):
    """A store to write to, by name and as specified when the order was made."""

    name: Name = Field(description="Name of the BackupStore.")
    spec: BackupStoreSpec = Field(description="The store's specification.")


class BackupOrder(StrictFields):
    """What to read, how to keep it, and what may be deleted afterwards."""

    policy: Name = Field(description="Name of the policy: part of every key.")
    policy_uid: Annotated[str, Field(max_length=64)] = Field(description="metadata.uid of the policy.")
    adopted_uids: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=16)] = Field(
        default_factory=list,
        description="Uids of earlier policies of that name whose recovery points retention counts as this one's.",
    )
    run: ResourceName = Field(description="Name of the run: part of every key.")
    reason: Literal["Scheduled", "Manual", "Safety"] = Field(description="Why the run was made.")
    slot: Time = Field(description="The moment that the recovery point is filed under, in UTC.")
    sources: Annotated[list[Source], Field(min_length=1, max_length=16)] = Field(
        description="What to read, in this order."
    )
    hooks: Hooks | None = Field(
        default=None, description="What is done to services around all of the reading."
    )
    compression: Compression = Field(description="Compression of the artifacts.")
    encryption: Encryption | None = Field(
        default=None, description="Encryption of the artifacts; without it they are stored in the clear."
    )
    signing: Signing | None = Field(default=None, description="Signature of the manifest.")
    verification: Verification = Field(description="How much is proved of each artifact.")
    min_copies: Annotated[int, Field(ge=1, le=8)] | None = Field(
        default=None, description="Stores that must hold a good copy for a success; without it all."
    )
    min_size_percent: Annotated[int, Field(ge=0, le=100)] = Field(
        description="Share of earlier dumps' median below which a dump fails."
    )
    retention: Retention = Field(description="The policy's rules.")
    time_zone: Annotated[str, Field(max_length=64)] = Field(
        description="Zone of the rules' days, weeks, months and years."
    )
    held_runs: Annotated[list[ResourceName], Field(max_length=10_000)] = Field(
        default_factory=list, description="Runs of this policy whose recovery points must not be deleted."
    )


class CatchUpOrder(StrictFields):
    """A recovery point that some stores hold and others of the order lack: it is copied, the source is not read."""

    policy: Name = Field(description="Name of the policy: part of every key.")
    policy_uid: Annotated[str, Field(max_length=64)] = Field(description="metadata.uid of the policy.")
    recovery_point: Annotated[str, Field(max_length=512)] = Field(description="Key prefix of the files.")
    manifest_sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of the manifest that the run has written, where it is known."
    )
    encryption: Encryption | None = Field(
        default=None, description="The policy's encryption, for the keys that prove what was copied."
    )
    signing: Signing | None = Field(default=None, description="Keys whose signatures count.")


class CatalogueOrder(StrictFields):
    """Tell what the order's only store holds of the namespace."""

    after: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="List recovery points after this key prefix."
    )
    expected: Annotated[list[Annotated[str, Field(max_length=512)]], Field(max_length=100)] = Field(
        default_factory=list,
        description="Key prefixes of recovery points made lately: looked for also where the listing does not show them.",
    )
    trusted_keys: Annotated[list[SecretKeyReference], Field(max_length=64)] = Field(
        default_factory=list, description="Public or private keys (PEM) whose signatures count."
    )


class WorkOrder(StrictFields):
    """One order, carried out by one worker process."""

    version: Literal[1] = Field(default=1, description="Version of this message.")
    kind: OrderKind = Field(
        description="Backup; CatchUp: copy a recovery point to the stores that lack it; CheckStore: list, write, read and delete a probe in each store; Catalogue: tell what a store holds; PlanRestore: find out what a restore would do; Restore: do it; DropReplaced: drop what it replaced; Drill: restore into a throw-away environment."
    )
    namespace: Name = Field(description="Namespace of the resources: part of every key.")
    run_uid: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        description="Identity of the order: uid of the run (or of the store)."
    )
    stores: Annotated[list[OrderStore], Field(min_length=1, max_length=8)] = Field(
        description="Where to write."
    )
    backup: BackupOrder | None = Field(default=None, description="For kind Backup.")
    catch_up: CatchUpOrder | None = Field(default=None, description="For kind CatchUp.")
    catalogue: CatalogueOrder | None = Field(default=None, description="For kind Catalogue.")
    restore: RestoreOrder | None = Field(default=None, description="For kinds PlanRestore and Restore.")
    drop: DropOrder | None = Field(default=None, description="For kind DropReplaced.")
    drill: DrillOrder | None = Field(default=None, description="For kind Drill.")
    deadline_seconds: Annotated[int, Field(ge=1, le=2_592_000)] = Field(
        description="The worker ends itself after this many seconds."
    )

    @property
    def needs_engine(self) -> bool:
        """Whether the worker must reach the host's Docker Engine."""
        hooks = self.all_hooks.values()
        sources = self.touched_sources
        restores = self.restore is not None and self.restore.needs_engine
        drills = self.drill is not None and self.drill.needs_engine
        return any(hooks) or any(source.needs_engine for source in sources) or restores or drills

    @property
    def all_hooks(self) -> dict[str | None, Hooks]:
        """What is done to services: the order's hooks under None, and each source's under its name."""
        if self.restore is not None:
            hooks = self.restore.hooks if self.kind == "Restore" else None
            return {} if hooks is None else {None: hooks}
        if self.backup is None:
            return {}
        every: dict[str | None, Hooks | None] = {source.name: source.hooks for source in self.backup.sources}
        every[None] = self.backup.hooks
        return {name: hooks for name, hooks in every.items() if hooks is not None}

    @property
    def touched_sources(self) -> list[Source]:
        """What is read, written to, or dropped from. A restore into a folder and a drill touch none of their targets."""
        if self.backup is not None:
            return self.backup.sources
        if self.drop is not None:
            return self.drop.targets
        return self.restore.touched if self.restore is not None else []

    @property
    def policy(self) -> str | None:
        """Name of the policy that it is about, if it is about one."""
        if self.restore is not None:
            return self.restore.choice.policy
        if self.drill is not None:
            return self.drill.choice.policy
        part = self.backup or self.drop or self.catch_up
        return None if part is None else part.policy

    def secrets(self) -> list[SecretKeyReference]:
        """Every Secret key that the order's parts refer to, in their order, each once."""
        return list(dict.fromkeys(_references(self)))

    def target_secrets(self) -> list[SecretKeyReference]:
        """Those that lead to what a restore has exchanged: all that putting it back needs."""
        return list(dict.fromkeys(_references(self.restore.targets))) if self.restore is not None else []

    def store_secrets(self) -> list[SecretKeyReference]:
        """Those that only the stores refer to: one that is missing costs that store's copy, and no more."""
        others = {
            ref
            for part in (self.backup, self.catch_up, self.catalogue, self.restore, self.drop, self.drill)
            for ref in _references(part)
        }
        return [ref for ref in dict.fromkeys(_references(self.stores)) if ref not in others]


def _references(part: object) -> list[SecretKeyReference]:
    if isinstance(part, SecretKeyReference):
        return [part]
    if isinstance(part, BaseModel):
        return [ref for name in type(part).model_fields for ref in _references(getattr(part, name))]
    if isinstance(part, list):
        return [ref for item in part for ref in _references(item)]
    return []
