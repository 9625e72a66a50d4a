"""What a worker tells of a restore or a drill: the plan, each step, checks with expected and found, and what was kept."""

from typing import Annotated, Literal

from pydantic import Field

from strongroom.api.fields import Bytes, Fields, Message, Name, ResourceName, Sha256, Time

StepName = Literal[
    "SafetyBackup",
    "Fetch",
    "Restore",
    "Compare",
    "StopServices",
    "Swap",
    "StartServices",
    "HealthCheck",
    "RollBack",
    "DropReplaced",
]
StepState = Literal["Pending", "Running", "Succeeded", "Failed", "Skipped", "RolledBack"]
ItemKind = Literal["database", "globals", "files", "config"]

MOST_ITEMS = 128
MOST_LINES = 64


class RestoreStep(Fields):
    """One step of a restore."""

    name: StepName = Field(description="Which step.")
    state: StepState = Field(description="State of the step.")
    started_at: Time | None = Field(default=None, description="When it started.")
    finished_at: Time | None = Field(default=None, description="When it ended.")
    message: Message | None = Field(default=None, description="What happened.")


class PlannedItem(Fields):
    """One artifact, and where it goes."""

    source: Name = Field(description="Source of the policy that it was read from.")
    kind: ItemKind = Field(description="database, globals, files or config.")
    file: Annotated[str, Field(max_length=512)] = Field(
        description="File name below the recovery point's key prefix."
    )
    database: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="Database that was dumped."
    )
    into: Annotated[str, Field(max_length=1024)] = Field(
        description="Name of what will hold it: a database, a volume, a path."
    )
    container: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Container that it was read in, where a label names the containers."
    )
    overwrites: bool = Field(description="Whether something of that name is there and will be replaced.")
    present_bytes: Bytes | None = Field(
        default=None, description="Size of what is replaced, where it is known."
    )
    needed_bytes: Bytes | None = Field(
        default=None, description="Room that the restore needs beside what is there, as far as it is known."
    )
    free_bytes: Bytes | None = Field(
        default=None,
        description="Room that is free there, where it is known (a server over the network does not tell).",
    )
    backup_version: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Version of the server that was dumped."
    )
    target_version: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Version of the server that it is restored to."
    )


class RestorePlan(Fields):
    """What a request will do, found out without changing anything."""

    recovery_point: Annotated[str, Field(max_length=512)] = Field(description="Key prefix of the artifacts.")
    run: ResourceName = Field(description="Run that made it.")
    slot: Time = Field(description="The moment that it shows.")
    manifest_sha256: Sha256 = Field(
        description="SHA-256 of the manifest: what was planned is what is restored."
    )
    stores: Annotated[list[Name], Field(min_length=1, max_length=8)] = Field(
        description="Stores with a good copy, in the order in which they are read from."
    )
    confirmation: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None,
        description="What spec.confirm must equal: names of what is overwritten, joined by commas; nothing where nothing is. A name that is there more than once stands behind its source's; of more than fits, how many they are, and a digest.",
    )
    items: Annotated[list[PlannedItem], Field(max_length=MOST_ITEMS)] = Field(
        default_factory=list, description="Each artifact, and where it goes."
    )
    services: Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=64)] = Field(
        default_factory=list, description="Containers that run now, are stopped meanwhile and started again."
    )
    expected_seconds: Annotated[float, Field(ge=0)] | None = Field(
        default=None,
        description="How long the last drill that passed took to restore a backup of this policy, all of its sources that are drilled.",
    )
    lines: Annotated[list[Message], Field(max_length=MOST_LINES)] = Field(
        default_factory=list,
        description="All of it for people, line by line, with what is not in the backup.",
    )


class CheckResult(Fields):
    """One thing compared after a restore."""

    name: Annotated[str, Field(max_length=253)] = Field(
        description="What was compared: a table's rows, extensions, a query, a health check."
    )
    passed: bool = Field(description="Whether it was as expected.")
    expected: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="What was expected."
    )
    found: Annotated[str, Field(max_length=256)] | None = Field(default=None, description="What was found.")


class Replaced(Fields):
    """What was replaced and is kept for a while: the way back."""

    source: Name = Field(description="Source whose data it was.")
    kind: Literal["database", "folder", "volume"] = Field(description="What it is.")
    original: Annotated[str, Field(max_length=1024)] = Field(description="Name that it had.")
    kept_as: Annotated[str, Field(max_length=1024)] = Field(description="Name that it has now.")
    container: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Container whose server holds the database, where it is one."
    )


class RestoreOutcome(Fields):
    """What came of a restore."""

    steps: Annotated[list[RestoreStep], Field(max_length=32)] = Field(
        default_factory=list, description="What was done, step by step."
    )
    store: Name | None = Field(default=None, description="Store that was read from, the last one.")
    checks: Annotated[list[CheckResult], Field(max_length=200)] = Field(
        default_factory=list,
        description="What was compared: all that failed, and the first of what passed.",
    )
    compared_count: Annotated[int, Field(ge=0)] = Field(
        default=0, description="How many things were compared."
    )
    replaced: Annotated[list[Replaced], Field(max_length=MOST_ITEMS)] = Field(
        default_factory=list, description="What was replaced and still stands beside the new."
    )
    rolled_back: bool = Field(default=False, description="Whether the old state was put back after a swap.")
    restore_seconds: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Seconds from start to a healthy application."
    )
    differences: Annotated[list[Message], Field(max_length=100)] = Field(
        default_factory=list,
        description="Files of a config source that the restore changed, added or took away.",
    )


class DrillOutcome(Fields):
    """What came of a drill that could run. One that could not is a failed result without this."""

    passed: bool = Field(description="Whether the backup was restored and every check passed.")
    store: Name = Field(description="Store whose copy was restored.")
    recovery_point: Annotated[str, Field(max_length=512)] = Field(
        description="Key prefix of what was restored."
    )
    run: ResourceName = Field(description="Run that made it.")
    restore_seconds: Annotated[float, Field(ge=0)] = Field(
        description="Seconds from the first byte read to the last check passed."
    )
    checks: Annotated[list[CheckResult], Field(max_length=200)] = Field(
        default_factory=list, description="All that failed, and the first of what passed."
    )
    compared_count: Annotated[int, Field(ge=0)] = Field(
        default=0, description="How many things were compared."
    )
    application: CheckResult | None = Field(
        default=None, description="What the application answered, where one was started."
    )
    reason: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Why it did not pass: a name of the errors table."
    )
    message: Message | None = Field(default=None, description="Why it did not pass, in words.")
