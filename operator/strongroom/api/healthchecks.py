"""How to see that an application works: a URL that answers, or a command that succeeds."""

from typing import Annotated

from pydantic import Field, model_validator

from strongroom.api.fields import Duration, Fields, Line
from strongroom.api.hooks import HookCommand
from strongroom.api.rules import rule, with_rules


class HealthCheck(Fields):
    """Tried again until it succeeds or its timeout is over."""

    model_config = with_rules(
        rule("has(self.url) != has(self.exec)", "needs either url or exec"),
        rule(
            "has(self.url) || (self.expectStatus == 200 && !has(self.expectText))",
            "expectStatus and expectText go with url",
        ),
    )

    url: Annotated[str, Field(max_length=1024, pattern=r"^https?://[^\s]+$")] | None = Field(
        default=None,
        description="URL that is fetched from the host, without following redirects. The host's agent must allow its address if it is none of the host's own or of its containers.",
    )
    exec: HookCommand | None = Field(
        default=None, description="Command run in a container instead; exit code 0 means healthy."
    )
    expect_status: Annotated[int, Field(ge=100, le=599)] = Field(
        default=200, description="HTTP status that means healthy."
    )
    expect_text: Line | None = Field(default=None, description="Text that the answer must hold.")
    timeout: Duration = Field(default="60s", description="How long to try.")

    @model_validator(mode="after")
    def _one_way(self) -> "HealthCheck":
        if (self.url is None) == (self.exec is None):
            raise ValueError("needs either url or exec")
        if self.exec is not None and (self.expect_status != 200 or self.expect_text is not None):
            raise ValueError("expectStatus and expectText go with url")
        return self
