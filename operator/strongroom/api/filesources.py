"""Sources that are trees of files: volumes and folders, and the configuration of a compose stack."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strongroom.api.containers import ContainerSelector, ProjectName, VolumeName
from strongroom.api.fields import AbsolutePath, Fields, ResourceName
from strongroom.api.rules import rule, with_rules

PathPattern = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\n\r\x00]+$")]
"""A pattern as in .gitignore."""
OnChange = Literal["Partial", "Fail", "Accept"]
_PATTERNS = "Patterns as in .gitignore, relative to the root of the source"


class ContainerPath(Fields):
    """A path inside a container: on one of its mounts, or in its own layer."""

    container: ContainerSelector = Field(description="Container that holds it.")
    path: AbsolutePath = Field(description="Absolute path inside the container.")


class FilesSource(Fields):
    """A tree of files, archived with tar."""

    model_config = with_rules(
        rule(
            "[has(self.volume), has(self.path), has(self.inContainer), has(self.persistentVolumeClaim)].filter(x, x).size() == 1",
            "needs exactly one of volume, path, inContainer and persistentVolumeClaim",
        ),
    )

    volume: VolumeName | None = Field(
        default=None, description="Named volume of the host (with compose: <project>_<volume>)."
    )
    path: AbsolutePath | None = Field(
        default=None, description="Folder or file of the host. The host's agent must allow it."
    )
    in_container: ContainerPath | None = Field(default=None, description="A path inside a container.")
    persistent_volume_claim: ResourceName | None = Field(
        default=None,
        description="PersistentVolumeClaim of this namespace, for policies without a host: it is mounted read-only.",
    )
    include: Annotated[list[PathPattern], Field(max_length=256)] = Field(
        default_factory=list,
        description=f"{_PATTERNS}: only what matches one of them is taken. Default: all.",
    )
    exclude: Annotated[list[PathPattern], Field(max_length=256)] = Field(
        default_factory=list, description=f"{_PATTERNS}: what matches is left out; `!` takes it in again."
    )
    on_change: OnChange = Field(
        default="Partial",
        description="When files change or vanish while they are read: Partial keeps the backup but does not count it, Fail fails the run, Accept counts it. All of them name the files.",
    )
    allow_empty: bool = Field(
        default=False,
        description="Accept a source without a single file; otherwise it is taken for the wrong place.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> "FilesSource":
        places = (self.volume, self.path, self.in_container, self.persistent_volume_claim)
        if sum(place is not None for place in places) != 1:
            raise ValueError("needs exactly one of volume, path, inContainer and persistentVolumeClaim")
        return self

    def __str__(self) -> str:
        """For people: `volume shop_media`, `claim media`, `/srv/files` or `/data in shop/web`."""
        if self.in_container is not None:
            return f"{self.in_container.path} in {self.in_container.container}"
        if self.persistent_volume_claim is not None:
            return f"claim {self.persistent_volume_claim}"
        return f"volume {self.volume}" if self.volume is not None else str(self.path)


class ConfigSource(Fields):
    """Configuration: files that hold secrets more often than not."""

    model_config = with_rules(
        rule(
            "has(self.project) || (has(self.paths) && size(self.paths) > 0)",
            "needs paths, project, or both",
        ),
    )

    project: ProjectName | None = Field(
        default=None,
        description="Compose project whose files are found by its containers' labels: compose files, .env, env files, and files mounted from its folder.",
    )
    paths: Annotated[list[AbsolutePath], Field(max_length=64)] = Field(
        default_factory=list,
        description="Files and folders of the host, such as certificates or an Ansible vault. The host's agent must allow them.",
    )
    exclude: Annotated[list[PathPattern], Field(max_length=256)] = Field(
        default_factory=list,
        description="Patterns as in .gitignore, relative to the host's root: what matches is left out.",
    )
    on_change: OnChange = Field(
        default="Fail",
        description="When files change or vanish while they are read: Partial, Fail or Accept.",
    )
    allow_unencrypted: bool = Field(
        default=False,
        description="Store it in the clear although it may hold secrets. Without this, the policy must have encryption.",
    )

    @model_validator(mode="after")
    def _something(self) -> "ConfigSource":
        if self.project is None and not self.paths:
            raise ValueError("needs paths, project, or both")
        return self
