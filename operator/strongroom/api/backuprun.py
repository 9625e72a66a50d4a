"""BackupRun: one recovery point being made, and what became of it."""

from typing import Annotated, Literal

from pydantic import Field

from strongroom.api.conditions import Condition
from strongroom.api.fields import Bytes, Fields, Message, Name, ResourceName, Sha256, Time
from strongroom.api.result import Artifact, Copy, Progress, RetentionOutcome
from strongroom.api.rules import rule, with_rules

RunReason = Literal["Scheduled", "Manual", "Safety"]
RunPhase = Literal["Pending", "Running", "Verifying", "Succeeded", "Partial", "Failed", "Skipped"]
TERMINAL_PHASES: frozenset[str] = frozenset({"Succeeded", "Partial", "Failed", "Skipped"})


class BackupRunSpec(Fields):
    """Which policy, and why now. Immutable but for `hold`."""

    model_config = with_rules(
        rule(
            "self.policy == oldSelf.policy",
            "policy is immutable: create another run",
        ),
        rule(
            "self.reason == oldSelf.reason",
            "reason is immutable: create another run",
        ),
        rule(
            "has(self.slot) == has(oldSelf.slot) && (!has(self.slot) || self.slot == oldSelf.slot)",
            "slot is immutable: create another run",
        ),
        rule(
            "has(self.sources) == has(oldSelf.sources) && (!has(self.sources) || self.sources == oldSelf.sources)",
            "sources is immutable: create another run",
        ),
        rule(
            "!has(self.sources) || self.sources.size() == 0 || self.reason == 'Safety'",
            "sources goes with reason Safety: any other run backs up all sources of its policy",
        ),
    )

    policy: Name = Field(description="BackupPolicy in this namespace.")
    reason: RunReason = Field(
        default="Manual", description="Scheduled, Manual, or Safety (before a restore)."
    )
    slot: Time | None = Field(
        default=None,
        description="The slot of the schedule that this run fills. Manual runs have none; runs found in a store have the moment that they are filed under.",
    )
    sources: Annotated[list[Name], Field(max_length=16)] = Field(
        default_factory=list,
        description="For reason Safety: only these sources, those that a restore overwrites. None means all.",
    )
    hold: bool = Field(
        default=False, description="Pin: while true, retention never deletes this run's artifacts."
    )


class CatchUp(Fields):
    """Attempts to copy what some stores lack from a store that holds it."""

    attempts: Annotated[int, Field(ge=0)] = Field(description="How many attempts have ended.")
    last_time: Time = Field(description="When the last one ended.")
    message: Message = Field(description="What came of it.")


class BackupRunStatus(Fields):
    """What became of the run. Terminal phases never change."""

    model_config = with_rules(
        rule(
            "!(oldSelf.phase in ['Succeeded', 'Partial', 'Failed', 'Skipped']) || self.phase == oldSelf.phase",
            "a terminal phase never changes",
        ),
    )

    observed_generation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="metadata.generation that this status speaks of."
    )
    phase: RunPhase = Field(
        default="Pending",
        description="Pending, Running, Verifying; then Succeeded, Partial, Failed or Skipped for good.",
    )
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        description="Succeeded, with a stable reason; CopiesSatisfied: whether its copies satisfy 3-2-1.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    policy_uid: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="metadata.uid of the policy that was carried out."
    )
    job: ResourceName | None = Field(default=None, description="Name of the Job.")
    attempt: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="How often a worker was started."
    )
    start_time: Time | None = Field(default=None, description="When the Job was made.")
    completion_time: Time | None = Field(default=None, description="When the run became terminal.")
    duration_seconds: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Seconds that the successful attempt took."
    )
    progress: Progress | None = Field(
        default=None, description="The worker's last word while the run is under way."
    )
    recovery_point: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Key prefix of the artifacts and their manifest, the same in every store."
    )
    size_bytes: Bytes | None = Field(default=None, description="Stored bytes of the artifacts, one copy.")
    artifacts: Annotated[list[Artifact], Field(max_length=128)] = Field(
        default_factory=list, description="What was made of each source."
    )
    contents: Literal["Whole", "Changed"] | None = Field(
        default=None,
        description="Changed: files changed while they were read, and the policy does not accept that.",
    )
    manifest_sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of the manifest, the same in every store."
    )
    copies: Annotated[list[Copy], Field(max_length=8)] = Field(
        default_factory=list,
        description="What each store holds. Copies that failed or are behind are caught up after the end of the run.",
    )
    catch_up: CatchUp | None = Field(
        default=None, description="What was done about copies that were lacking when the run ended."
    )
    retention: Annotated[list[RetentionOutcome], Field(max_length=8)] = Field(
        default_factory=list, description="What retention did in each store after this run."
    )
    pruned_time: Time | None = Field(
        default=None, description="When retention deleted this run's artifacts from the last store."
    )
    message: Message | None = Field(default=None, description="What happened, and what to do about it.")
