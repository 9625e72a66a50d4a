"""BackupPolicy: what is backed up, when, where to, how long it is kept, and whether all that is so now."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strongroom.api.conditions import Condition
from strongroom.api.drills import Drill, LastDrill, PendingDrill
from strongroom.api.encryption import Encryption
from strongroom.api.fields import Bytes, Duration, Fields, Message, Name, ResourceName, Time
from strongroom.api.hooks import Hooks
from strongroom.api.jobsettings import JobSettings
from strongroom.api.rules import rule, with_rules
from strongroom.api.signing import Signing
from strongroom.api.sources import Source

Verification = Literal["List", "Full"]
Codec = Literal["zstd", "gzip", "none"]
Keep = Annotated[int, Field(ge=1, le=10_000)]


class Compression(Fields):
    """How artifacts are compressed."""

    model_config = with_rules(
        rule(
            "!has(self.level) || self.codec != 'none'",
            "level has no meaning with codec none",
        ),
        rule(
            "!has(self.level) || self.codec != 'gzip' || self.level <= 9",
            "level must be 1 to 9 with codec gzip",
        ),
    )

    codec: Codec = Field(
        default="zstd", description="zstd, gzip or none. Each opens with the stock tool of its name."
    )
    level: Annotated[int, Field(ge=1, le=19)] | None = Field(
        default=None, description="Level of the codec: zstd 1 to 19 (default 3), gzip 1 to 9 (default 6)."
    )

    @model_validator(mode="after")
    def _level_fits(self) -> "Compression":
        if self.level is not None and self.codec == "none":
            raise ValueError("level has no meaning with codec none")
        if self.level is not None and self.codec == "gzip" and self.level > 9:
            raise ValueError("level must be 1 to 9 with codec gzip")
        return self


class Retention(Fields):
    """Which backups are kept: those that any rule keeps, as in restic. Only complete and verified backups count.

    Without any keep rule nothing is ever deleted.
    """

    keep_last: Keep | None = Field(default=None, description="Keep the newest n backups.")
    keep_within: Duration | None = Field(
        default=None, description="Keep all backups younger than this, counted from the newest."
    )
    keep_daily: Keep | None = Field(
        default=None, description="Keep the newest backup of each of the last n days that have one."
    )
    keep_weekly: Keep | None = Field(
        default=None, description="Keep the newest backup of each of the last n ISO weeks that have one."
    )
    keep_monthly: Keep | None = Field(
        default=None, description="Keep the newest backup of each of the last n months that have one."
    )
    keep_yearly: Keep | None = Field(
        default=None, description="Keep the newest backup of each of the last n years that have one."
    )
    keep_safety: Duration = Field(
        default="14d",
        description="How long the backups made before a restore are kept. They count for no other rule, and minKeep does not count them either.",
    )
    min_keep: Keep = Field(
        default=1, description="Never keep fewer verified backups than this, whatever the rules say."
    )
    max_deletions: Keep = Field(
        default=50,
        description="Delete nothing, and say so, when one pass would delete more backups than this.",
    )
    dry_run: bool = Field(default=False, description="Only report what would be deleted.")

    @property
    def has_rules(self) -> bool:
        """Whether any keep rule is set."""
        rules = (
            self.keep_last,
            self.keep_within,
            self.keep_daily,
            self.keep_weekly,
            self.keep_monthly,
            self.keep_yearly,
        )
        return any(rule is not None for rule in rules)


class Freshness(Fields):
    """How old the last verified backup may be."""

    max_age: Duration | None = Field(
        default=None,
        description="Age at which the policy stops being fresh. Default: 1.05 times the schedule's longest gap, and at least 5 minutes more than it.",
    )


class BackupPolicySpec(Fields):
    """What the user wants."""

    model_config = with_rules(
        rule(
            "!has(self.minCopies) || self.minCopies <= self.stores.size()",
            "minCopies must not be larger than the number of stores",
        ),
    )

    schedule: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None,
        description="When to back up: five cron fields (`0 2 * * *`) or a word such as @daily, in timeZone. Without it the policy runs on demand only.",
    )
    time_zone: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$")] = (
        Field(
            default="UTC",
            description="IANA time zone of the schedule and of the retention's days, weeks, months and years.",
        )
    )
    suspend: bool = Field(
        default=False, description="Start no scheduled runs while true. Runs made by hand still work."
    )
    starting_deadline: Duration = Field(
        default="1h",
        description="A slot missed by more than this is not made up for. Several missed slots become one run.",
    )
    jitter: Duration = Field(
        default="0s",
        description="Spread the start of runs over this span; the offset is stable for each policy.",
    )
    host: Name | None = Field(
        default=None,
        description="DockerHost whose agent runs the Jobs. Without one the cluster itself runs them, where it runs pods.",
    )
    job: JobSettings | None = Field(
        default=None, description="The pods of its Jobs, for policies without a host."
    )
    sources: Annotated[list[Source], Field(min_length=1, max_length=16)] = Field(
        description="What to back up. One run of all sources is one recovery point.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    stores: Annotated[list[Name], Field(min_length=1, max_length=8)] = Field(
        description="BackupStores in this namespace. Each source is read once and written to all of them.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    min_copies: Annotated[int, Field(ge=1, le=8)] | None = Field(
        default=None,
        description="How many of the stores must hold a good copy for a run to succeed. Default: all. What is lacking is caught up from a good copy all the same.",
    )
    compression: Compression = Field(default_factory=Compression, description="Compression of the artifacts.")
    encryption: Encryption | None = Field(
        default=None, description="Encryption of the artifacts. Without it they are stored in the clear."
    )
    signing: Signing | None = Field(
        default=None,
        description="Signature of each manifest. With it only what is signed counts: nothing unsigned is trusted, adopted, copied or deleted.",
    )
    retention: Retention = Field(
        default_factory=Retention, description="Which backups are kept. Without a keep rule: all."
    )
    verification: Verification = Field(
        default="Full",
        description="Full reads the whole archive with pg_restore while it streams and counts every row; List reads its table of contents. Both read the stored bytes back.",
    )
    min_size_percent: Annotated[int, Field(ge=0, le=100)] = Field(
        default=50,
        description="Fail a run whose dump is smaller than this share of the median of earlier ones. 0 turns it off.",
    )
    freshness: Freshness = Field(
        default_factory=Freshness, description="How old the last verified backup may be."
    )
    deadline: Duration = Field(default="6h", description="A run that takes longer is ended and failed.")
    backoff_limit: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="How often a run is tried again after a failure that may pass."
    )
    drill: Drill | None = Field(default=None, description="Regular restores into a throw-away server.")
    hooks: Hooks | None = Field(
        default=None,
        description="Services stopped and commands run around the reading of all sources together.",
    )
    run_history_limit: Annotated[int, Field(ge=1, le=100)] = Field(
        default=10, description="Finished BackupRuns kept beside those whose artifacts still exist."
    )
    deletion_policy: Literal["Retain"] = Field(
        default="Retain",
        description="What happens to the artifacts when the policy is deleted: Retain keeps them all.",
    )

    @model_validator(mode="after")
    def _unique_names(self) -> "BackupPolicySpec":
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError("sources: each name may occur once")
        if len(set(self.stores)) != len(self.stores):
            raise ValueError("stores: each name may occur once")
        if self.min_copies is not None and self.min_copies > len(self.stores):
            raise ValueError("minCopies must not be larger than the number of stores")
        return self

    @property
    def needs_engine(self) -> bool:
        """Whether its runs must reach the host's Docker Engine."""
        hooked = self.hooks is not None or any(source.hooks is not None for source in self.sources)
        return hooked or any(source.needs_engine for source in self.sources)


class LastSuccess(Fields):
    """The newest run whose artifacts are all verified."""

    time: Time = Field(description="The moment that the backup shows: when its slot or its manual start was.")
    run: ResourceName = Field(description="Name of the BackupRun.")
    size_bytes: Bytes = Field(description="Stored bytes of its artifacts, one copy.")
    duration_seconds: Annotated[float, Field(ge=0)] = Field(description="Seconds from start to end.")


class StoreCopies(Fields):
    """What one of the policy's stores holds, by the runs."""

    store: Name = Field(description="BackupStore.")
    points: Annotated[int, Field(ge=0)] = Field(description="Recovery points of this policy that it holds.")
    newest_time: Time | None = Field(
        default=None, description="The moment that the newest verified backup in it shows."
    )
    lacking: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Recovery points that it lacks and that are to be copied to it."
    )
    message: Message | None = Field(default=None, description="Why it lacks the newest of them.")


class BackupPolicyStatus(Fields):
    """What is so now, as far as the operator knows."""

    observed_generation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="metadata.generation that this status speaks of."
    )
    conditions: Annotated[list[Condition], Field(max_length=16)] = Field(
        default_factory=list,
        description="Ready, Fresh, CopiesSatisfied, Drilled; RetentionBlocked, UntrustedPoints, TargetShared and EncryptionUnauthenticated when true.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    last_schedule_time: Time | None = Field(
        default=None, description="The last slot that was decided: run or skipped."
    )
    next_schedule_time: Time | None = Field(
        default=None, description="When the next scheduled run starts, jitter included."
    )
    last_success: LastSuccess | None = Field(default=None, description="The newest verified backup.")
    fresh_until: Time | None = Field(
        default=None, description="When the last verified backup becomes too old."
    )
    last_run: ResourceName | None = Field(default=None, description="Name of the newest finished run.")
    last_run_phase: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="Phase of that run."
    )
    artifact_count: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Recovery points in the first store."
    )
    total_bytes: Bytes | None = Field(default=None, description="Stored bytes of those recovery points.")
    last_drill: LastDrill | None = Field(default=None, description="The newest drill that could run.")
    pending_drill: PendingDrill | None = Field(
        default=None, description="The drill that is due: under way, or to be tried again."
    )
    next_drill_time: Time | None = Field(default=None, description="When the next drill starts.")
    copies: Annotated[list[StoreCopies], Field(max_length=8)] = Field(
        default_factory=list, description="What each store holds and lacks."
    )
    message: Message | None = Field(default=None, description="The most important thing to know now.")
