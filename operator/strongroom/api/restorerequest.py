"""RestoreRequest: what is restored, from which backup, to where, and each step of it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strongroom.api.conditions import Condition
from strongroom.api.fields import (
    AbsolutePath,
    Duration,
    Fields,
    Identifier,
    Line,
    Message,
    Name,
    ResourceName,
    Time,
)
from strongroom.api.rules import rule, with_rules

RestoreMode = Literal["InPlace", "NewDatabase", "Directory", "Drill"]
RestorePhase = Literal["Pending", "AwaitingConfirmation", "Running", "Succeeded", "Failed"]


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
    store: Name | None = Field(default=None, description="Store to read from first.")

    @model_validator(mode="after")
    def _one_choice(self) -> "RestoreFrom":
        if (self.run is None) == (self.policy is None):
            raise ValueError("needs either run or policy")
        if self.policy is not None and self.latest == (self.as_of is not None):
            raise ValueError("policy needs either latest: true or asOf")
        if self.run is not None and (self.latest or self.as_of is not None):
            raise ValueError("latest and asOf go with policy")
        return self


class RestoreTarget(Fields):
    """Where to."""

    mode: RestoreMode = Field(description="InPlace, NewDatabase, Directory or Drill.")
    database: Identifier | None = Field(
        default=None, description="Name of the new database, for NewDatabase."
    )
    path: AbsolutePath | None = Field(
        default=None, description="Empty folder to restore into, for Directory."
    )


class HealthCheck(Fields):
    """How to see that the application works after a restore."""

    url: Annotated[str, Field(max_length=1024, pattern=r"^https?://[^\s]+$")] = Field(
        description="URL that is fetched."
    )
    expect_status: Annotated[int, Field(ge=100, le=599)] = Field(
        default=200, description="HTTP status that means healthy."
    )
    timeout: Duration = Field(default="60s", description="How long to try.")


class RestoreRequestSpec(Fields):
    """What the user wants. Immutable but for `confirm`."""

    model_config = with_rules(
        rule(
            "self.from == oldSelf.from",
            "from is immutable: create another request",
        ),
        rule(
            "self.target == oldSelf.target",
            "target is immutable: create another request",
        ),
        rule(
            "has(self.stopServices) == has(oldSelf.stopServices) && (!has(self.stopServices) || self.stopServices == oldSelf.stopServices)",
            "stopServices is immutable: create another request",
        ),
        rule(
            "has(self.healthCheck) == has(oldSelf.healthCheck) && (!has(self.healthCheck) || self.healthCheck == oldSelf.healthCheck)",
            "healthCheck is immutable: create another request",
        ),
        rule(
            "self.safetyBackup == oldSelf.safetyBackup && self.strategy == oldSelf.strategy",
            "safetyBackup and strategy are immutable: create another request",
        ),
    )

    from_: RestoreFrom = Field(alias="from", description="Which backup.")
    target: RestoreTarget = Field(description="Where to.")
    confirm: Line | None = Field(
        default=None,
        description="Name of what will be overwritten. Without it an in-place request stops and shows its plan.",
    )
    stop_services: Annotated[list[Name], Field(max_length=32)] = Field(
        default_factory=list, description="Services stopped while data is replaced, and started again."
    )
    health_check: HealthCheck | None = Field(
        default=None, description="Checked after services are started; a failure swaps back."
    )
    safety_backup: bool = Field(default=True, description="Back up the present state first.")
    strategy: Literal["Swap", "Clean"] = Field(
        default="Swap",
        description="Swap restores beside the old database and renames; Clean restores over it.",
    )


class RestoreStep(Fields):
    """One step of a restore."""

    name: Annotated[str, Field(max_length=64)] = Field(description="Name of the step.")
    state: Literal["Pending", "Running", "Succeeded", "Failed", "Skipped", "RolledBack"] = Field(
        description="State of the step."
    )
    started_at: Time | None = Field(default=None, description="When it started.")
    finished_at: Time | None = Field(default=None, description="When it ended.")
    message: Message | None = Field(default=None, description="What happened.")


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
        description="Pending, AwaitingConfirmation, Running; then Succeeded or Failed for good.",
    )
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        description="Succeeded, with a stable reason.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    plan: Annotated[list[Message], Field(max_length=64)] = Field(
        default_factory=list, description="What will be done, line by line."
    )
    steps: Annotated[list[RestoreStep], Field(max_length=32)] = Field(
        default_factory=list, description="What was done, step by step."
    )
    restore_seconds: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Seconds from start to a healthy application."
    )
    message: Message | None = Field(default=None, description="What happened, and what to do about it.")
