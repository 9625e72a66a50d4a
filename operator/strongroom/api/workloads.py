"""Services of either world: containers of a Docker host, or what a cluster scales."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strongroom.api.containers import ContainerSelector
from strongroom.api.fields import Fields, Message, ResourceName, StrictFields
from strongroom.api.result import Progress
from strongroom.api.rules import rule, with_rules

WorkloadKind = Literal["Deployment", "StatefulSet"]
MOST_SERVICES = 32
LARGEST_NOTE_BYTES = 32_768

_ONE = "needs exactly one of project and service, name, deployment and statefulSet"


class Workload(StrictFields):
    """What a cluster stops by scaling it to 0."""

    kind: WorkloadKind = Field(description="Deployment or StatefulSet.")
    name: ResourceName = Field(description="Its name, in the namespace of who asks.")

    def __str__(self) -> str:
        """For people, as kubectl writes it: `deployment/web`."""
        return f"{self.kind.lower()}/{self.name}"


class ServiceSelector(ContainerSelector):
    """A service that is stopped: of a Docker host a compose service or a container, of a cluster a Deployment or StatefulSet."""

    model_config = with_rules(
        rule(
            "[has(self.project) && has(self.service), has(self.name), has(self.deployment), has(self.statefulSet)].filter(x, x).size() == 1",
            _ONE,
        ),
        rule(
            "has(self.project) == has(self.service) && (!has(self.index) || has(self.service))",
            "project, service and index go together",
        ),
    )

    deployment: ResourceName | None = Field(
        default=None, description="Deployment of the request's namespace, where the cluster restores."
    )
    stateful_set: ResourceName | None = Field(
        default=None, description="StatefulSet of the request's namespace, where the cluster restores."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "ServiceSelector":
        if (self.project is None) != (self.service is None) or (self.index and not self.service):
            raise ValueError("project, service and index go together")
        ways = (self.service, self.name, self.deployment, self.stateful_set)
        if sum(way is not None for way in ways) != 1:
            raise ValueError(_ONE)
        return self

    @property
    def workload(self) -> Workload | None:
        """What the cluster scales, if that is meant."""
        if self.deployment is not None:
            return Workload(kind="Deployment", name=self.deployment)
        return None if self.stateful_set is None else Workload(kind="StatefulSet", name=self.stateful_set)

    @property
    def container(self) -> ContainerSelector | None:
        """The containers of a host, if these are meant."""
        if self.workload is not None:
            return None
        return ContainerSelector(project=self.project, service=self.service, index=self.index, name=self.name)

    def __str__(self) -> str:
        """For people."""
        return super().__str__() if self.workload is None else str(self.workload)


class Ask(Fields):
    """What a worker in a cluster asks of the operator, which alone may talk to the API: it waits for the answer of that number."""

    number: Annotated[int, Field(ge=1, le=100_000)] = Field(description="Counts the asks of this worker.")
    about: Literal["Recall", "Remember", "StopServices", "StartServices"] = Field(
        description="Recall: what was to be remembered for the next worker of the same order. Remember: `note`. StopServices: scale the request's services to 0, having written down what they were. StartServices: back to that."
    )
    note: Annotated[str, Field(max_length=LARGEST_NOTE_BYTES)] | None = Field(
        default=None, description="What is to be remembered."
    )


class Answer(Fields):
    """What the operator answers, by an annotation of the pod."""

    number: int = Field(description="Of the ask.")
    done: bool = Field(description="Whether it is done.")
    message: Message | None = Field(default=None, description="Why it is not.")
    note: Annotated[str, Field(max_length=LARGEST_NOTE_BYTES)] | None = Field(
        default=None, description="What was remembered."
    )


class WorkerLine(Progress):
    """A line of a worker's output: how far it is, and what it asks."""

    ask: Ask | None = Field(default=None, description="What it waits for.")
