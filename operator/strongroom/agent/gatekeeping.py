"""One gate for each attempt that needs the Engine: a process of its own, so that an agent's restart cuts nothing."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from strongroom.agent.asks import ContainerAsk, RestoreVolumeAsk, VolumeAsk, list_asks
from strongroom.agent.durable import PRIVATE_FILE, make_folder, write_durably
from strongroom.agent.folders import AttemptFolder, JobFolder
from strongroom.agent.gate.rules import Rules, read_rules, rules_text
from strongroom.agent.processes import kill_inside
from strongroom.agent.working import Launch
from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.drillapplications import application_container, build_application_config
from strongroom.engine.drillcontainers import DrillContainer, build_drill_config, drill_container
from strongroom.engine.inspection import Inspected

START_SECONDS = 20
SPARE_SECONDS = 3600
"""How long a gate outlives the order's deadline, should nobody end it."""
_LOOK_SECONDS = 0.02
_children: list["subprocess.Popen[bytes]"] = []


def build_rules(launch: Launch, engine_url: str) -> Rules:
    """What the order's containers and volumes may be used for."""
    asks = list_asks(launch.order)
    found = [(ask, each) for ask in asks for each in launch.view.containers.get(ask, ())]
    seen = [(ask, each) for ask, each in found if isinstance(ask, ContainerAsk)]
    drills = dict(_throw_away(launch))
    mounts = [each.mount_of(ask.path) for ask, each in seen if ask.path is not None]
    return Rules(
        engine=engine_url.removeprefix("unix://"),
        socket=launch.files.gate_socket.name,
        seconds=launch.order.deadline_seconds + SPARE_SECONDS,
        names={name: each.container.id for _, each in found for name in _names(each)},
        inspect=frozenset([*(each.container.id for _, each in found), *drills]),
        exec=frozenset([*(each.container.id for ask, each in seen if ask.runs_programs(each)), *drills]),
        control=frozenset([*(each.container.id for ask, each in seen if ask.use == "control"), *drills]),
        volumes=frozenset(
            [ask.name for ask in asks if isinstance(ask, VolumeAsk | RestoreVolumeAsk)]
            + [mount.volume for mount in mounts if mount is not None and mount.volume is not None]
        ),
        drills=drills,
    )


def _throw_away(launch: Launch) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each container that a drill may make, with the request that makes it: servers, and applications beside them."""
    drill = launch.order.drill
    for server in _drill_containers(launch):
        yield server.name, build_drill_config(server)
        if drill is not None and drill.application is not None:
            beside = application_container(server, drill.application)
            yield beside.name, build_application_config(beside)


def _drill_containers(launch: Launch) -> Iterator[DrillContainer]:
    """All servers that the order's drill may make, by its sources and the containers that they mean now."""
    order = launch.order
    for source in order.drill.targets if order.drill is not None else ():
        if source.postgres is None or order.drill is None:
            continue
        ask = next(
            (
                ask
                for ask in list_asks(order)
                if isinstance(ask, ContainerAsk) and ask.what.endswith(f": {source.name}")
            ),
            None,
        )
        found = [] if ask is None else [each.container for each in launch.view.containers.get(ask, ())]
        names = [each.name for each in found] if source.postgres.labelled else [None]
        images = [order.drill.image] if order.drill.image else [each.image for each in found]
        yield from (
            drill_container(order, source.name, name, image)
            for name in names
            for image in dict.fromkeys(images)
        )


def start_gate(launch: Launch, engine_url: str) -> None:
    """Start the attempt's gate; returns when it listens. Raises InternalError when it does not."""
    files = launch.files
    make_folder(files.gate)
    write_durably(files.gate_rules, rules_text(build_rules(launch, engine_url)))
    output = os.open(files.gate_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "strongroom.agent.gate", str(files.gate_rules)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=files.gate,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
        )
    finally:
        os.close(output)
    _children.append(child)
    _await(child, files)


def end_gate(files: AttemptFolder) -> None:
    """End the attempt's gate, also one that an earlier agent has started."""
    while kill_inside(files.gate):
        time.sleep(_LOOK_SECONDS)
    _children[:] = [child for child in _children if child.poll() is None]


def find_controlled(folder: JobFolder) -> frozenset[str] | None:
    """Ids of all that the Job's gates let its workers stop or pause; None when one of them ran without a gate."""
    attempts = folder.attempts()
    if any(attempt.isolation == "process" for attempt in attempts):
        return None
    rules = [folder.attempt_folder(attempt.number).gate_rules for attempt in attempts]
    return frozenset(each for path in rules if path.exists() for each in read_rules(path).control)


def _await(child: "subprocess.Popen[bytes]", files: AttemptFolder) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not files.gate_socket.exists():
        if child.poll() is not None or time.monotonic() > deadline:
            child.kill()
            raise StrongroomError(Reason.InternalError, "the gate to the Docker Engine did not start")
        time.sleep(_LOOK_SECONDS)


def _names(each: Inspected) -> Iterator[str]:
    yield each.container.name
    yield each.container.id[:12]
