"""Containers that workers run in: made with as little as they need, found by their labels, ended and removed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import docker.errors

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import Engine
from strongroom.engine.failures import engine_failures

_TMP = "rw,nosuid,nodev,noexec,size=64m,mode=1777"


@dataclass(frozen=True)
class Bind:
    """A volume (by name) or a path of the host (absolute) inside the container."""

    source: str
    target: str
    writable: bool = False
    volume: bool = False


@dataclass(frozen=True)
class Resources:
    """What it may use: bytes of memory (none of it swapped), cores, weights, processes."""

    memory_bytes: int
    cpus: float
    cpu_shares: int
    blkio_weight: int
    processes: int


@dataclass(frozen=True)
class WorkerContainer:
    """A container to be made. It holds no secret: these are files that it mounts."""

    name: str
    image: str
    command: Sequence[str]
    user: str
    resources: Resources
    network: str = "none"
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    binds: Sequence[Bind] = ()
    capabilities: Sequence[str] = ()
    folder: str = "/"


@dataclass(frozen=True)
class State:
    """A container at the moment of the look. `pid` is the main process's number on the host while it runs, else 0."""

    running: bool
    pid: int
    exit_code: int
    out_of_memory: bool


def has_image(engine: Engine, image: str) -> bool:
    """Whether the Engine holds it. Raises EngineUnreachable."""
    try:
        with engine_failures(engine):
            engine.api.inspect_image(image)
    except StrongroomError as error:
        if error.reason is Reason.ContainerNotFound:
            return False
        raise
    return True


def create_worker(engine: Engine, wanted: WorkerContainer) -> str:
    """Make it, not yet started; its id. Raises ImageMissing, EngineUnreachable."""
    config = build_config(wanted, _cores(engine))
    with engine_failures(engine):
        try:
            made = engine.api.create_container_from_config(config, wanted.name)
        except docker.errors.ImageNotFound as error:
            words = f"the worker's image {wanted.image} is not on this host"
            raise StrongroomError(Reason.ImageMissing, words) from error
    return str(made["Id"])


def start_worker_container(engine: Engine, container: str) -> None:
    """Start it. Raises EngineUnreachable, also when the Engine could not."""
    with engine_failures(engine):
        engine.api.start(container)


def find_worker(engine: Engine, labels: Mapping[str, str]) -> list[str]:
    """Ids of the containers, running or not, that bear all the labels. Raises EngineUnreachable."""
    wanted = [f"{key}={value}" for key, value in labels.items()]
    with engine_failures(engine):
        return [str(each["Id"]) for each in engine.api.containers(all=True, filters={"label": wanted})]


def list_workers(engine: Engine, label: str, labels: Mapping[str, str]) -> dict[str, str]:
    """The containers that bear all the labels: their ids, and each one's value of `label`. Raises EngineUnreachable."""
    wanted = [label, *(f"{key}={value}" for key, value in labels.items())]
    with engine_failures(engine):
        found = engine.api.containers(all=True, filters={"label": wanted})
    return {str(each["Id"]): str(each["Labels"][label]) for each in found}


def look_at_worker(engine: Engine, container: str) -> State | None:
    """How it is; None when it is gone. Raises EngineUnreachable."""
    try:
        with engine_failures(engine):
            state = engine.api.inspect_container(container)["State"]
    except StrongroomError as error:
        if error.reason is Reason.ContainerNotFound:
            return None
        raise
    return State(
        running=bool(state.get("Running")) or state.get("Status") == "restarting",
        pid=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        out_of_memory=bool(state.get("OOMKilled")),
    )


def stop_worker(engine: Engine, container: str, grace_seconds: float) -> None:
    """SIGTERM, and SIGKILL after the grace. Nothing happens to one that is gone. Raises EngineUnreachable."""
    _unless_gone(engine, lambda: engine.api.stop(container, timeout=max(1, round(grace_seconds))))


def remove_worker(engine: Engine, container: str) -> None:
    """Kill and remove it. Nothing happens to one that is gone. Raises EngineUnreachable."""
    _unless_gone(engine, lambda: engine.api.remove_container(container, force=True))


def build_config(wanted: WorkerContainer, cores: int) -> dict[str, Any]:
    """The body of the Engine's request (ContainerCreate of its API)."""
    resources = wanted.resources
    return {
        "Image": wanted.image,
        "Entrypoint": ["strongroom"],
        "Cmd": list(wanted.command),
        "User": wanted.user,
        "WorkingDir": wanted.folder,
        "Labels": dict(wanted.labels),
        "Env": [f"{name}={value}" for name, value in wanted.environment.items()],
        "StopSignal": "SIGTERM",
        "HostConfig": {
            "NetworkMode": wanted.network,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": list(wanted.capabilities),
            "SecurityOpt": ["no-new-privileges"],
            "UsernsMode": "host",
            "Tmpfs": {"/tmp": _TMP},  # noqa: S108  the container's own
            "Mounts": [_mount(bind) for bind in wanted.binds],
            "LogConfig": {"Type": "none"},
            "RestartPolicy": {"Name": "no"},
            "Memory": resources.memory_bytes,
            "MemorySwap": resources.memory_bytes,
            "NanoCpus": int(min(resources.cpus, cores) * 1e9),
            "CpuShares": resources.cpu_shares,
            "BlkioWeight": resources.blkio_weight,
            "PidsLimit": resources.processes,
        },
    }


def _mount(bind: Bind) -> dict[str, Any]:
    mount: dict[str, Any] = {
        "Type": "volume" if bind.volume else "bind",
        "Source": bind.source,
        "Target": bind.target,
        "ReadOnly": not bind.writable,
    }
    if bind.volume:
        # Otherwise what the image has at that place would be copied into an empty volume.
        mount["VolumeOptions"] = {"NoCopy": True}
    return mount


def _cores(engine: Engine) -> int:
    with engine_failures(engine):
        return int(engine.api.info().get("NCPU") or 1)


def _unless_gone(engine: Engine, act: Callable[[], object]) -> None:
    try:
        with engine_failures(engine):
            act()
    except StrongroomError as error:
        if error.reason is not Reason.ContainerNotFound:
            raise
