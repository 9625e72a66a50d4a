"""How a container of a Docker host is chosen: by compose project and service, by its name, or by a label on it."""

from typing import Annotated

from pydantic import Field, model_validator

from strongroom.api.fields import Fields
from strongroom.api.rules import rule, with_rules

ProjectName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""A compose project's name, as compose normalizes it."""
ServiceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")]
"""A service's name in a compose file."""
ContainerName = Annotated[str, Field(min_length=2, max_length=253, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")]
"""A container's name, as the Engine accepts it."""
VolumeName = Annotated[str, Field(min_length=2, max_length=253, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")]
"""A named volume, as the Engine accepts it. Never a path."""


class ContainerSelector(Fields):
    """Which container of the host: a compose service, or a container by its name."""

    model_config = with_rules(
        rule(
            "has(self.name) != (has(self.project) && has(self.service))",
            "needs either project and service, or name",
        ),
        rule(
            "!has(self.name) || (!has(self.project) && !has(self.service) && !has(self.index))",
            "name stands alone: project, service and index go together",
        ),
    )

    project: ProjectName | None = Field(default=None, description="Compose project, with service.")
    service: ServiceName | None = Field(default=None, description="Service of that project.")
    index: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="Which container of a service that is scaled. Without it: all of them to stop or pause; to dump from, read from or run commands in, there must be exactly one.",
    )
    name: ContainerName | None = Field(
        default=None, description="Name of the container, instead of a service."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "ContainerSelector":
        by_service = self.project is not None and self.service is not None
        if (self.name is not None) == by_service:
            raise ValueError("needs either project and service, or name")
        if self.name is not None and (self.project or self.service or self.index):
            raise ValueError("name stands alone: project, service and index go together")
        return self

    def __str__(self) -> str:
        """For people: `shop/db`, `shop/db (index 2)` or `container shop-db`."""
        if self.name is not None:
            return f"container {self.name}"
        which = "" if self.index is None else f" (index {self.index})"
        return f"{self.project}/{self.service}{which}"
