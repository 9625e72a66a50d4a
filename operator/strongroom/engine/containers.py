"""Containers as the Engine tells them, and the one that a selector means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strongroom.api.containers import ContainerSelector
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import (
    COMPOSE_NUMBER_LABEL,
    COMPOSE_ONEOFF_LABEL,
    COMPOSE_PROJECT_LABEL,
    COMPOSE_SERVICE_LABEL,
    POLICY_LABEL,
)
from strongroom.engine.connecting import Engine
from strongroom.engine.failures import engine_failures


@dataclass(frozen=True)
class Container:
    """One container at the moment of the look. `state`: created, running, paused, restarting, exited, dead."""

    id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> str | None:
        """Its compose project."""
        return self.labels.get(COMPOSE_PROJECT_LABEL)

    @property
    def service(self) -> str | None:
        """Its compose service."""
        return self.labels.get(COMPOSE_SERVICE_LABEL)

    @property
    def index(self) -> int | None:
        """Its number within a scaled service."""
        text = self.labels.get(COMPOSE_NUMBER_LABEL, "")
        return int(text) if text.isdigit() else None

    def __str__(self) -> str:
        """For people: its name."""
        return f"container {self.name}"


def list_containers(engine: Engine, *, labels: Sequence[str] = (), stopped: bool = True) -> list[Container]:
    """All containers that bear the labels (`key` or `key=value`), by name. Raises EngineUnreachable."""
    with engine_failures(engine):
        found = engine.api.containers(all=stopped, filters={"label": list(labels)} if labels else None)
    return sorted((_parse(each) for each in found), key=lambda container: container.name)


def match_containers(engine: Engine, selector: ContainerSelector) -> list[Container]:
    """Every container that the selector means, stopped ones too; those of `compose run` are not the service's."""
    if selector.name is not None:
        return [each for each in list_containers(engine) if each.name == selector.name]
    labels = [f"{COMPOSE_PROJECT_LABEL}={selector.project}", f"{COMPOSE_SERVICE_LABEL}={selector.service}"]
    found = list_containers(engine, labels=labels)
    service = [each for each in found if each.labels.get(COMPOSE_ONEOFF_LABEL, "False").lower() != "true"]
    return [each for each in service if selector.index in {None, each.index}]


def match_labelled(engine: Engine, namespace: str, policy: str) -> list[Container]:
    """Every container that a label attaches to the policy."""
    values = {policy, f"{namespace}/{policy}"}
    return [
        each for each in list_containers(engine, labels=[POLICY_LABEL]) if each.labels[POLICY_LABEL] in values
    ]


def find_container(engine: Engine, selector: ContainerSelector, what: str) -> Container:
    """The one running container that the selector means; `what` names object and field in the error.

    Raises ContainerNotFound (none, or none that runs) and ContainerAmbiguous.
    """
    found = match_containers(engine, selector)
    running = [each for each in found if each.state == "running"]
    if len(running) > 1:
        names = ", ".join(each.name for each in running)
        raise StrongroomError(
            Reason.ContainerAmbiguous, f"{what}: {selector} means {len(running)} containers: {names}"
        )
    if running:
        return running[0]
    states = ", ".join(f"{each.name} is {each.state}" for each in found)
    detail = f"none of it runs ({states})" if found else "there is none on this host"
    raise StrongroomError(Reason.ContainerNotFound, f"{what}: {selector}: {detail}")


def _parse(found: Mapping[str, Any]) -> Container:
    names = [str(name).removeprefix("/") for name in found.get("Names") or []]
    # Links give a container further names, with a slash inside.
    own = next((name for name in names if "/" not in name), names[0] if names else found["Id"][:12])
    return Container(
        id=found["Id"],
        name=own,
        image=str(found.get("Image", "")),
        state=str(found.get("State", "")),
        labels=found.get("Labels") or {},
    )
