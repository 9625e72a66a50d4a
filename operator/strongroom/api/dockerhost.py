"""DockerHost: a machine with a Docker Engine whose agent runs Jobs. The agent registers it and keeps its Lease."""

from typing import Annotated

from pydantic import Field

from strongroom.api.conditions import Condition
from strongroom.api.containers import ContainerName, ProjectName, ServiceName, VolumeName
from strongroom.api.fields import Fields, Message, Name, Time


class DockerHostSpec(Fields):
    """What the host is willing to do."""

    allowed_namespaces: Annotated[list[Name], Field(max_length=64)] = Field(
        default_factory=list,
        description="Namespaces, besides this one, whose policies may name this host.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    max_concurrent_jobs: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2, description="Jobs that run at the same time on this host."
    )


class PostgresClient(Fields):
    """A PostgreSQL client found on the host."""

    major: Annotated[int, Field(ge=8, le=99)] = Field(description="Major version.")
    version: Annotated[str, Field(max_length=64)] = Field(description="Full version of pg_dump.")


class EngineFacts(Fields):
    """The Docker Engine that the agent works with."""

    version: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Version of the Engine."
    )
    api_version: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="API version agreed on with it."
    )
    problem: Message | None = Field(default=None, description="Why it cannot be used now, if so.")


class ComposeProject(Fields):
    """A compose project found on the host."""

    name: ProjectName = Field(description="Name of the project.")
    services: Annotated[list[ServiceName], Field(max_length=64)] = Field(
        default_factory=list, description="Its services that have containers."
    )
    volumes: Annotated[list[VolumeName], Field(max_length=64)] = Field(
        default_factory=list, description="Its named volumes."
    )


class DatabaseService(Fields):
    """A PostgreSQL server found in a container of the host."""

    container: ContainerName = Field(description="Name of the container.")
    project: ProjectName | None = Field(default=None, description="Compose project, where it has one.")
    service: ServiceName | None = Field(default=None, description="Service of the project.")
    image: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="Image that it runs."
    )
    policy: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="Value of its label strongroom.dev/policy."
    )


class DockerHostStatus(Fields):
    """What the agent found, and whether it is alive."""

    observed_generation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="metadata.generation that this status speaks of."
    )
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list,
        description="Ready: whether the agent's Lease is fresh; EngineReady; DatabasesCovered: whether a policy backs up every database found.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    agent_version: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Version of Strongroom on the host."
    )
    operating_system: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="Operating system of the host."
    )
    engine: EngineFacts | None = Field(default=None, description="The Docker Engine, where one was found.")
    projects: Annotated[list[ComposeProject], Field(max_length=64)] = Field(
        default_factory=list, description="Compose projects found on the host."
    )
    databases: Annotated[list[DatabaseService], Field(max_length=128)] = Field(
        default_factory=list, description="PostgreSQL servers found in containers of the host."
    )
    uncovered: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=128)] = Field(
        default_factory=list,
        description="Containers of those that no policy backs up. Written by the operator.",
    )
    isolation: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="How Jobs run: process or container."
    )
    postgres_clients: Annotated[list[PostgresClient], Field(max_length=16)] = Field(
        default_factory=list, description="PostgreSQL clients found on the host."
    )
    running_jobs: Annotated[int, Field(ge=0)] = Field(default=0, description="Jobs that run now.")
    last_heartbeat_time: Time | None = Field(
        default=None, description="When the agent last wrote this status; its Lease is renewed more often."
    )
    message: Message | None = Field(default=None, description="The most important thing to know now.")
