"""Throw-away containers of drills: no network, no files of the host, limits, an end by themselves. Built from the order alone."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker.errors

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import DRILL_LABEL
from strongroom.api.workorder import WorkOrder
from strongroom.domain.drillservers import THROW_AWAY_SETTINGS
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.failures import engine_failures

GRACE_SECONDS = 300
"""How long a container that nobody ends outlives its order's deadline."""
SERVER_ADDRESS, SERVER_PORT = "127.0.0.1", 5432
_LOOK_SECONDS = 0.05
_PROCESSES = 256
_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
"""What the official image's entry point needs to give its data folder to its user, and to become him."""
_DATA = "/tmp/strongroom-drill"  # noqa: S108  the container's own
"""Its data lies in the container's own layer, and goes with it: an Engine that is killed removes such a container, and leaves its volumes."""
_VOLUMES = ("/var/lib/postgresql", "/var/lib/postgresql/data")
"""Where official images would have a volume: what is mounted there already is none."""
_EMPTY_BYTES = 1 << 20


@dataclass(frozen=True)
class DrillContainer:
    """A container to be made: its name follows from the order, so that any worker of that order knows it."""

    name: str
    image: str
    run_uid: str
    memory_bytes: int
    seconds: int
    is_shared: bool = False
    """Whether an application's container has its network, which is its loopback and nothing else."""


def drill_container(order: WorkOrder, source: str, container: str | None, image: str) -> DrillContainer:
    """The one for a source, or for one of several containers that a label names. Pure."""
    if order.drill is None:
        raise ValueError(f"an order of kind {order.kind} starts no server")
    told = "\0".join([order.run_uid, source, container or "", image])
    return DrillContainer(
        name=f"strongroom-drill-{hashlib.sha256(told.encode()).hexdigest()[:24]}",
        image=image,
        run_uid=order.run_uid,
        memory_bytes=order.drill.memory_bytes,
        seconds=order.deadline_seconds + GRACE_SECONDS,
        is_shared=order.drill.application is not None,
    )


def build_drill_config(wanted: DrillContainer) -> dict[str, Any]:
    """The body of the Engine's request (ContainerCreate of its API). Nothing in it is secret: whoever gets in there needs none."""
    settings = {"listen_addresses": SERVER_ADDRESS if wanted.is_shared else "", **THROW_AWAY_SETTINGS}
    return {
        "Image": wanted.image,
        # Its end needs neither worker nor agent.
        "Entrypoint": ["timeout", "-s", "KILL", str(wanted.seconds), "docker-entrypoint.sh"],
        "Cmd": [
            "postgres",
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ],
        "Env": [
            "POSTGRES_HOST_AUTH_METHOD=trust",
            "POSTGRES_USER=postgres",
            "POSTGRES_DB=postgres",
            f"PGDATA={_DATA}",
        ],
        "Labels": {DRILL_LABEL: wanted.run_uid},
        "HostConfig": {
            "NetworkMode": "none",
            "Mounts": [
                {"Type": "tmpfs", "Target": path, "TmpfsOptions": {"SizeBytes": _EMPTY_BYTES}}
                for path in _VOLUMES
            ],
            "ShmSize": wanted.memory_bytes // 2,
            **confinement(_CAPABILITIES, wanted.memory_bytes, _PROCESSES),
        },
    }


def confinement(capabilities: Sequence[str], memory_bytes: int, processes: int) -> dict[str, Any]:
    """The part of HostConfig that every throw-away container has: limits, no further privilege, no log, nothing left of it."""
    return {
        "AutoRemove": True,
        "CapDrop": ["ALL"],
        "CapAdd": list(capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "LogConfig": {"Type": "none"},
        "RestartPolicy": {"Name": "no"},
        "Memory": memory_bytes,
        "MemorySwap": memory_bytes,
        "PidsLimit": processes,
    }


def start_drill_container(engine: Engine, wanted: DrillContainer) -> Container:
    """Make and start it, after ending one that another attempt has left. ImageMissing, EngineUnreachable."""
    return start_throw_away(engine, wanted.name, build_drill_config(wanted))


def start_throw_away(engine: Engine, name: str, config: Mapping[str, Any]) -> Container:
    """The same for any configuration."""
    end_drill_container(engine, name)
    image = str(config["Image"])
    with engine_failures(engine):
        try:
            engine.api.create_container_from_config(config, name)
        except docker.errors.ImageNotFound as error:
            words = f"image {image} is not on this host (docker pull {image})"
            raise StrongroomError(Reason.ImageMissing, words) from error
        engine.api.start(name)
    return Container(id=name, name=name, image=image, state="running")


def runs(engine: Engine, name: str) -> bool:
    """Whether it is there and runs. Raises EngineUnreachable."""
    try:
        with engine_failures(engine):
            return bool(engine.api.inspect_container(name)["State"].get("Running"))
    except StrongroomError as error:
        if error.reason is Reason.ContainerNotFound:
            return False
        raise


def end_drill_container(engine: Engine, name: str) -> None:
    """End it; then the Engine removes it, with its volumes. Idempotent. Raises EngineUnreachable."""
    try:
        with engine_failures(engine):
            engine.api.stop(name, timeout=1)
            while True:
                engine.api.inspect_container(name)
                time.sleep(_LOOK_SECONDS)
    except StrongroomError as error:
        if error.reason is not Reason.ContainerNotFound:
            raise


def remove_drill_containers(engine: Engine, run_uid: str) -> None:
    """Remove all of that order, whatever they do, with their volumes. Raises EngineUnreachable."""
    with engine_failures(engine):
        found = engine.api.containers(all=True, filters={"label": [f"{DRILL_LABEL}={run_uid}"]})
    for each in found:
        with suppress(StrongroomError), engine_failures(engine):
            engine.api.remove_container(each["Id"], v=True, force=True)
