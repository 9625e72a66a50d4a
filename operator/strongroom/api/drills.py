"""Drills: regular restores into a throw-away environment, with checks, without anyone asking."""

from typing import Annotated

from pydantic import Field, model_validator

from strongroom.api.fields import (
    Duration,
    Fields,
    Identifier,
    Line,
    Message,
    Name,
    Port,
    ResourceName,
    SecretKeyReference,
    Time,
)
from strongroom.api.restoring import CheckResult
from strongroom.api.rules import rule, with_rules

Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$")]
"""A container image as the Engine names it."""


def parse_memory(text: str) -> int:
    """Bytes of a Memory."""
    return int(text[:-2]) * _UNITS[text[-2:]]


class SqlCheck(Fields):
    """A query that gives one value, and what the value must be."""

    model_config = with_rules(
        rule("has(self.expect) != has(self.atLeast)", "needs either expect or atLeast"),
    )

    name: Name = Field(description="Name of the check.")
    database: Identifier | None = Field(
        default=None, description="Database that it is run in. Default: the only one of the backup."
    )
    query: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="One SELECT, run read-only in the restored database."
    )
    expect: Line | None = Field(
        default=None, description="Text that the first column of the first row must be."
    )
    at_least: Annotated[float, Field(ge=-1e15, le=1e15)] | None = Field(
        default=None, description="Number that it must not be below."
    )

    @model_validator(mode="after")
    def _one_expectation(self) -> "SqlCheck":
        if (self.expect is None) == (self.at_least is None):
            raise ValueError("needs either expect or atLeast")
        return self


Memory = Annotated[str, Field(min_length=3, max_length=9, pattern=r"^[1-9][0-9]{0,6}(Mi|Gi)$")]
"""An amount such as 512Mi or 2Gi."""
_UNITS = {"Mi": 1 << 20, "Gi": 1 << 30}
Variable = Annotated[
    str, Field(min_length=2, max_length=1024, pattern=r"^[A-Za-z_][A-Za-z0-9_]*=[^\n\r\x00]*$")
]
"""NAME=value of a process's environment."""
Word = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")]
"""A word of a command line."""


class DrillApplication(Fields):
    """The application, started on the restored database, to see that it works: in a container that reaches the throw-away server and nothing else."""

    model_config = with_rules(
        rule("has(self.port) != has(self.exec)", "needs either port or exec"),
        rule(
            "has(self.port) || (self.path == '/' && self.expectStatus == 200 && !has(self.expectText))",
            "path, expectStatus and expectText go with port",
        ),
    )

    image: Image = Field(
        description="Image of the application; it must be on the host, and made into a container there or allowed to the agent (--allow-drill-image)."
    )
    command: Annotated[list[Word], Field(max_length=64)] = Field(
        default_factory=list, description="Command and arguments. Default: the image's."
    )
    environment: Annotated[list[Variable], Field(max_length=64)] = Field(
        default_factory=list,
        description="NAME=value, never a secret: anybody who may look at the host's containers sees it. PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and DATABASE_URL lead to the restored database, whose server takes any password, and are set unless they are named here.",
    )
    database: Identifier | None = Field(
        default=None,
        description="Database that it works on. Default: the only one that the policy's sources name; where they name none or several, it is needed.",
    )
    user: Identifier | None = Field(
        default=None,
        description="Role that it logs in as, one of the backup's. Default: a role that has the rights of the database's owner.",
    )
    port: Port | None = Field(
        default=None, description="Port that it listens on: GET path is asked of it, over its own loopback."
    )
    path: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^/[!-~]*$")] = Field(
        default="/", description="Path that is fetched."
    )
    expect_status: Annotated[int, Field(ge=100, le=599)] = Field(
        default=200, description="HTTP status that means healthy."
    )
    expect_text: Line | None = Field(default=None, description="Text that the answer must hold.")
    exec: Annotated[list[Word], Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="Command run in the application's container instead (its image needs sh); exit code 0 means healthy.",
    )
    timeout: Duration = Field(default="2m", description="How long to try.")
    memory: Memory = Field(default="1Gi", description="Memory of its container.")

    @model_validator(mode="after")
    def _one_way(self) -> "DrillApplication":
        if (self.port is None) == (self.exec is None):
            raise ValueError("needs either port or exec")
        if self.port is None and (self.path, self.expect_status, self.expect_text) != ("/", 200, None):
            raise ValueError("path, expectStatus and expectText go with port")
        return self


class Drill(Fields):
    """A regular restore of the newest backup into a throw-away server, with checks. The stores take turns."""

    schedule: Line = Field(
        description="When to drill: five cron fields or a word such as @weekly, in the policy's timeZone."
    )
    suspend: bool = Field(default=False, description="Start no drills while true.")
    sources: Annotated[list[Name], Field(max_length=16)] = Field(
        default_factory=list, description="Only these sources; none means all."
    )
    target_seconds: Annotated[int, Field(ge=1, le=604_800)] | None = Field(
        default=None, description="Longest acceptable time to restore (recovery time objective), in seconds."
    )
    image: Image | None = Field(
        default=None,
        description="Image with the PostgreSQL of the backup's major, laid out as the official one. Default: that of the container which is backed up; where there is none, the host's own programs.",
    )
    checks: Annotated[list[SqlCheck], Field(max_length=32)] = Field(
        default_factory=list,
        description="Queries with expectations. Rows of each table are compared with the manifest anyway.",
    )
    application: DrillApplication | None = Field(
        default=None,
        description="Also start the application on what was restored and compared. The throw-away server must be in a container.",
    )
    decryption_key_secret: SecretKeyReference | None = Field(
        default=None,
        description="Secret key holding what decrypts the backups. Default: what the policy's encryption names (verificationKeySecret, or its passphrase). Encrypted backups cannot be drilled without one.",
    )
    deadline: Duration = Field(
        default="6h", description="A drill that takes longer is ended and has not passed."
    )
    memory: Memory = Field(default="1Gi", description="Memory of the throw-away server.")


class LastDrill(Fields):
    """The newest drill that could run."""

    slot: Time = Field(description="The slot of the drill's schedule that it filled.")
    time: Time = Field(description="When it ended.")
    passed: bool = Field(description="Whether the backup was restored and every check passed.")
    run: ResourceName = Field(description="Run whose backup was restored.")
    store: Name = Field(description="Store whose copy was restored.")
    restore_seconds: Annotated[float, Field(ge=0)] = Field(description="Measured time to restore.")
    target_seconds: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Longest acceptable time."
    )
    compared_count: Annotated[int, Field(ge=0)] = Field(
        default=0, description="How many things were compared."
    )
    failed_checks: Annotated[list[CheckResult], Field(max_length=20)] = Field(
        default_factory=list, description="What was not as expected."
    )
    application: CheckResult | None = Field(
        default=None, description="What the application answered, where one was started."
    )
    reason: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Why it did not pass."
    )
    message: Message | None = Field(default=None, description="Why it did not pass, in words.")


class PendingDrill(Fields):
    """A drill that is due and has not yet run."""

    slot: Time = Field(description="The slot of the drill's schedule.")
    attempt: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        description="Which attempt is next, or under way."
    )
    run: ResourceName | None = Field(default=None, description="Run whose backup is restored.")
    store: Name | None = Field(default=None, description="Store whose turn it is.")
    failed_time: Time | None = Field(default=None, description="When the last attempt could not run.")
    reason: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Why it could not run."
    )
    message: Message | None = Field(default=None, description="Why it could not run, in words.")
