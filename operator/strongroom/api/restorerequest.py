"""RestoreRequest: what is restored, from which backup, to where, and each step of it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strongroom.api.conditions import Condition
from strongroom.api.containers import ContainerSelector, VolumeName
from strongroom.api.fields import (
    AbsolutePath,
    Duration,
    Fields,
    Host,
    Identifier,
    Line,
    Message,
    Name,
    Port,
    ResourceName,
    SecretKeyReference,
    Sha256,
    Time,
)
from strongroom.api.healthchecks import HealthCheck
from strongroom.api.restoring import MOST_ITEMS, CheckResult, Replaced, RestorePlan, RestoreStep
from strongroom.api.result import Progress
from strongroom.api.rules import rule, with_rules
from strongroom.api.sources import PostgresTls
from strongroom.api.workloads import MOST_SERVICES, ServiceSelector

RestoreMode = Literal["InPlace", "NewDatabase", "Directory", "Drill"]
RestorePhase = Literal[
    "Pending", "Planning", "AwaitingConfirmation", "Securing", "Running", "Succeeded", "Failed"
]


class RestoreFrom(Fields):
    """Which backup: a run, or a policy's latest, or the newest verified one at or before a time."""

    model_config = with_rules(
        rule(
            "has(self.run) != has(self.policy)",
            "needs either run or policy",
        ),
        rule(
            "!has(self.policy) || (has(self.latest) && self.latest) != has(self.asOf)",
            "policy needs either latest: true or asOf",
        ),
        rule(
            "!has(self.run) || !((has(self.latest) && self.latest) || has(self.asOf))",
            "latest and asOf go with policy",
        ),
    )

    run: ResourceName | None = Field(default=None, description="BackupRun in this namespace.")
    policy: Name | None = Field(
        default=None, description="BackupPolicy in this namespace; with latest or asOf."
    )
    latest: bool = Field(default=False, description="The policy's newest verified backup.")
    as_of: Time | None = Field(
        default=None,
        description="The policy's newest verified backup at or before this time; if there is none, an error.",
    )
    sources: Annotated[list[Name], Field(max_length=16)] = Field(
        default_factory=list, description="Only these sources; none means all."
    )
    databases: Annotated[list[Identifier], Field(max_length=64)] = Field(
        default_factory=list, description="Only these databases of them; none means all."
    )
    store: Name | None = Field(
        default=None,
        description="Store to read from first. Without it, and if it fails: the others with a good copy.",
    )

    @model_validator(mode="after")
    def _one_choice(self) -> "RestoreFrom":
        if (self.run is None) == (self.policy is None):
            raise ValueError("needs either run or policy")
        if self.policy is not None and self.latest == (self.as_of is not None):
            raise ValueError("policy needs either latest: true or asOf")
        if self.run is not None and (self.latest or self.as_of is not None):
            raise ValueError("latest and asOf go with policy")
        return self


class RestorePostgres(Fields):
    """The server and role that restore, where they are not the source's own."""

    model_config = with_rules(
        rule("!(has(self.host) && has(self.container))", "needs at most one of host and container"),
    )

    host: Host | None = Field(default=None, description="Another server, by host name or address.")
    container: ContainerSelector | None = Field(default=None, description="Another server, by its container.")
    port: Port | None = Field(
        default=None, description="TCP port. Default: the source's, or 5432 for another server."
    )
    tls: PostgresTls | None = Field(
        default=None, description="Protection of the connection. Default: the source's."
    )
    user: Identifier | None = Field(
        default=None,
        description="Role that restores: it must be able to create databases and to act as their owner. Default: the source's.",
    )
    password_secret: SecretKeyReference | None = Field(
        default=None, description="Secret key holding that role's password. Default: the source's."
    )

    @model_validator(mode="after")
    def _one_server(self) -> "RestorePostgres":
        if self.host is not None and self.container is not None:
            raise ValueError("needs at most one of host and container")
        return self


class RestoreTarget(Fields):
    """Where to."""

    model_config = with_rules(
        rule(
            "(self.mode == 'NewDatabase') == has(self.database)",
            "database goes with mode NewDatabase, which needs it",
        ),
        rule(
            "[has(self.path), has(self.volume), has(self.persistentVolumeClaim)].filter(x, x).size() == (self.mode == 'Directory' ? 1 : 0)",
            "mode Directory needs exactly one of path, volume and persistentVolumeClaim, which go with no other mode",
        ),
    )

    mode: RestoreMode = Field(
        description="InPlace: over what was backed up, after confirmation. NewDatabase: one database beside the old. Directory: everything as files, into a new or empty folder, volume or claim. Drill: into a throw-away server, to see whether it works."
    )
    host: Name | None = Field(
        default=None,
        description="DockerHost whose agent restores. Default: the policy's; without one the cluster restores.",
    )
    postgres: RestorePostgres | None = Field(
        default=None,
        description="Server and role that databases are restored with, where not the source's own.",
    )
    database: Identifier | None = Field(
        default=None, description="Name of the new database, for NewDatabase. One that exists is refused."
    )
    path: AbsolutePath | None = Field(
        default=None,
        description="New or empty folder of the host, for Directory. The host's agent must allow it.",
    )
    volume: VolumeName | None = Field(default=None, description="New or empty volume, for Directory.")
    persistent_volume_claim: ResourceName | None = Field(
        default=None, description="Empty PersistentVolumeClaim of this namespace, for Directory in a cluster."
    )

    @model_validator(mode="after")
    def _fitting(self) -> "RestoreTarget":
        if (self.mode == "NewDatabase") != (self.database is not None):
            raise ValueError("database goes with mode NewDatabase, which needs it")
        places = (self.path, self.volume, self.persistent_volume_claim)
        if sum(place is not None for place in places) != (self.mode == "Directory"):
            raise ValueError(
                "mode Directory needs exactly one of path, volume and persistentVolumeClaim, which go with no other mode"
            )
        return self


class RestoreRequestSpec(Fields):
    """What the user wants. Immutable but for `confirm`."""

    model_config = with_rules(
        rule("self.from == oldSelf.from", "from is immutable: create another request"),
        rule("self.target == oldSelf.target", "target is immutable: create another request"),
        *(
            rule(
                f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})",
                f"{name} is immutable: create another request",
            )
            for name in ("stopServices", "healthCheck", "decryptionKeySecret", "jobs")
        ),
        rule(
            "self.safetyBackup == oldSelf.safetyBackup && self.strategy == oldSelf.strategy && self.keepReplaced == oldSelf.keepReplaced && self.stopTimeout == oldSelf.stopTimeout && self.allowSpecialFiles == oldSelf.allowSpecialFiles && self.deadline == oldSelf.deadline && self.backoffLimit == oldSelf.backoffLimit",
            "everything but confirm is immutable: create another request",
        ),
        rule("self.strategy == 'Swap' || self.target.mode == 'InPlace'", "strategy goes with mode InPlace"),
    )

    from_: RestoreFrom = Field(alias="from", description="Which backup.")
    target: RestoreTarget = Field(description="Where to.")
    confirm: Line | None = Field(
        default=None,
        description="Name of what will be overwritten, as status.plan.confirmation says it. Without it an in-place request stops and shows its plan.",
    )
    stop_services: Annotated[list[ServiceSelector], Field(max_length=MOST_SERVICES)] = Field(
        default_factory=list,
        description="Services stopped while the new takes the old one's place, and started again: exactly those that ran.",
    )
    stop_timeout: Duration = Field(
        default="30s", description="How long a service may take to stop before it is killed."
    )
    health_check: HealthCheck | None = Field(
        default=None, description="Checked after services are started; a failure puts the old state back."
    )
    safety_backup: bool = Field(
        default=True,
        description="Back up the present state of what is overwritten first (a run with reason Safety).",
    )
    strategy: Literal["Swap", "Clean", "DropAndCreate"] = Field(
        default="Swap",
        description="Swap restores beside the old, compares, and exchanges names. Clean restores over a database (pg_restore --clean --if-exists), DropAndCreate makes it anew first; both while services are stopped, and with the safety backup as the way back.",
    )
    keep_replaced: Duration = Field(
        default="24h",
        description="How long what was replaced is kept beside the new. 0s: not longer than the restore.",
    )
    decryption_key_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding a private key (an age or SSH identity, an OpenPGP private key) or passphrase that decrypts the backup. Default: what the policy's encryption names. It may be deleted afterwards.",
    )
    allow_special_files: bool = Field(
        default=False,
        description="Also restore device files, and set-user-id and set-group-id bits, which are refused or taken off otherwise.",
    )
    jobs: Annotated[int, Field(ge=1, le=32)] | None = Field(
        default=None,
        description="Tables and indexes restored at a time (pg_restore --jobs), where there is room for the dump on the host. Default: up to 4, by the host's cores.",
    )
    deadline: Duration = Field(
        default="6h", description="A restore that takes longer is ended, undone and failed."
    )
    backoff_limit: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2,
        description="How often it is tried again after a failure that may pass, or when its worker was killed.",
    )

    @model_validator(mode="after")
    def _fitting(self) -> "RestoreRequestSpec":
        if self.strategy != "Swap" and self.target.mode != "InPlace":
            raise ValueError("strategy goes with mode InPlace")
        return self


class RestoreRequestStatus(Fields):
    """What became of the request."""

    model_config = with_rules(
        rule(
            "!(oldSelf.phase in ['Succeeded', 'Failed']) || self.phase == oldSelf.phase",
            "a terminal phase never changes",
        ),
    )

    observed_generation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="metadata.generation that this status speaks of."
    )
    phase: RestorePhase = Field(
        default="Pending",
        description="Pending, Planning, AwaitingConfirmation, Securing (the safety backup), Running; then Succeeded or Failed for good.",
    )
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        description="Succeeded, with a stable reason.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    plan: RestorePlan | None = Field(default=None, description="What will be done.")
    planned_time: Time | None = Field(default=None, description="When the plan was made.")
    planned_targets: Sha256 | None = Field(
        default=None,
        description="SHA-256 of what the policy and the request said of host, servers, volumes and paths when it was planned: what was confirmed is no other place.",
    )
    job: ResourceName | None = Field(default=None, description="Name of the Job under way, or the last one.")
    safety_run: ResourceName | None = Field(
        default=None, description="BackupRun that holds the state before the restore."
    )
    start_time: Time | None = Field(default=None, description="When the restore itself began.")
    completion_time: Time | None = Field(default=None, description="When the request became terminal.")
    progress: Progress | None = Field(default=None, description="The worker's last word while it is at it.")
    steps: Annotated[list[RestoreStep], Field(max_length=32)] = Field(
        default_factory=list, description="What was done, step by step."
    )
    checks: Annotated[list[CheckResult], Field(max_length=200)] = Field(
        default_factory=list, description="What was compared, with expected and found."
    )
    store: Name | None = Field(default=None, description="Store that was read from.")
    rolled_back: bool = Field(default=False, description="Whether the old state was put back after a swap.")
    replaced: Annotated[list[Replaced], Field(max_length=MOST_ITEMS)] = Field(
        default_factory=list, description="What was replaced and is kept until dropTime."
    )
    drop_time: Time | None = Field(default=None, description="When what was replaced is dropped.")
    dropped_time: Time | None = Field(default=None, description="When what was replaced was dropped.")
    restore_seconds: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Seconds from start to a healthy application."
    )
    differences: Annotated[list[Message], Field(max_length=100)] = Field(
        default_factory=list, description="Configuration files that the restore changed, added or took away."
    )
    message: Message | None = Field(default=None, description="What happened, and what to do about it.")
