"""Workers in containers: made with the least they need, found by their labels, followed without the Engine where it is away."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from strongroom.agent import mounting
from strongroom.agent.durable import make_folder, write_durably
from strongroom.agent.folders import JobFolder
from strongroom.agent.gatekeeping import end_gate, start_gate
from strongroom.agent.mounting import find_sights, job_binds, store_binds
from strongroom.agent.newvolumes import unmade_volume
from strongroom.agent.processes import ProcessIdentity, identify, is_alive
from strongroom.agent.records import Attempt
from strongroom.agent.settings import Limits
from strongroom.agent.workers import KILLED_SECONDS, Worker, restore_words
from strongroom.agent.working import Launch, RunningWorker
from strongroom.api.errors import StrongroomError
from strongroom.api.labels import AGENT_LABEL, ATTEMPT_LABEL, JOB_LABEL
from strongroom.engine.connecting import Engine, connect_engine
from strongroom.engine.volumes import find_volume
from strongroom.engine.workercontainers import (
    Resources,
    State,
    WorkerContainer,
    create_worker,
    find_worker,
    look_at_worker,
    remove_worker,
    start_worker_container,
    stop_worker,
)

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 10
"""How long the exit code of a container that has ended is waited for while its Engine is away."""

log = logging.getLogger(__name__)


class ContainerWorkers:
    """Workers as containers of the machine's Engine. Implements `working.Workers`."""

    def __init__(self, engine_url: str | None, limits: Limits, identity: str) -> None:
        """`identity` is on every container that this agent makes."""
        self._engine_url = engine_url
        self._limits = limits
        self._identity = identity

    def start(self, launch: Launch, attempt: Attempt, save: Callable[[Attempt], None]) -> "ContainerWorker":
        """Gate, container, start; written down before each. Raises SourceMissing, ImageMissing, EngineUnreachable."""
        engine = connect_engine(self._engine_url)
        wanted = self._build(launch, engine)
        save(attempt)
        try:
            if launch.order.needs_engine:
                start_gate(launch, engine.url)
            container = create_worker(engine, wanted)
            made = attempt.model_copy(update={"container": container})
            save(made)
            start_worker_container(engine, container)
        except BaseException:
            self._remove(engine, launch.folder, attempt)
            raise
        state = look_at_worker(engine, container)
        identity = identify_main(container, state)
        save(made.model_copy(update={"process": identity}))
        return ContainerWorker(engine.url, container, identity)

    async def find(self, folder: JobFolder, attempt: Attempt) -> "ContainerWorker | None":
        """By the record; where that is older than the container, by the labels, as soon as the Engine answers."""
        if attempt.container is not None:
            return ContainerWorker(self._engine_url, attempt.container, attempt.process)
        while True:
            try:
                found = await asyncio.to_thread(self._find, folder, attempt)
            except StrongroomError as error:
                log.warning("Job %s: its container is not known yet: %s", folder.uid, error.message)
                await asyncio.sleep(POLL_SECONDS)
            else:
                return ContainerWorker(self._engine_url, found[0], None) if found else None

    async def clear(self, folder: JobFolder, attempt: Attempt, worker: RunningWorker | None) -> None:
        """Kill and remove the container, and end its gate. One whose Engine is away is killed, and removed by the next sweep."""
        process = worker.process if isinstance(worker, ContainerWorker) else attempt.process
        if process is not None and is_alive(process):
            await Worker(process).stop(0)
        try:
            await asyncio.to_thread(self._clear, folder, attempt)
        except StrongroomError as error:
            log.warning("Job %s: its container is removed later: %s", folder.uid, error.message)
        await asyncio.to_thread(end_gate, folder.attempt_folder(attempt.number))

    def _clear(self, folder: JobFolder, attempt: Attempt) -> None:
        self._remove(connect_engine(self._engine_url, timeout_seconds=KILLED_SECONDS), folder, attempt)

    def _remove(self, engine: Engine, folder: JobFolder, attempt: Attempt) -> None:
        for container in find_worker(engine, self._labels(folder, attempt.number)):
            remove_worker(engine, container)

    def _find(self, folder: JobFolder, attempt: Attempt) -> list[str]:
        return find_worker(connect_engine(self._engine_url), self._labels(folder, attempt.number))

    def _labels(self, folder: JobFolder, number: int) -> dict[str, str]:
        return {AGENT_LABEL: self._identity, JOB_LABEL: folder.uid, ATTEMPT_LABEL: str(number)}

    def _build(self, launch: Launch, engine: Engine) -> WorkerContainer:
        sights = find_sights(launch).without(unmade_volume(launch.order, engine))
        for name in sights.volumes:
            # The Engine would make a volume that is missing, and an empty one would be backed up.
            find_volume(engine, name, f"Job {launch.plan.namespace}/{launch.plan.name}")
        make_folder(launch.files.output)
        make_folder(launch.files.gate)
        write_durably(launch.files.mounts, json.dumps(asdict(sights)).encode())
        write_durably(launch.files.users, mounting.list_users(os.getuid(), os.getgid()).encode())
        return WorkerContainer(
            name=f"strongroom-{launch.folder.uid}-{launch.number}",
            image=launch.plan.image,
            command=_command(launch),
            user=f"{os.getuid()}:{os.getgid()}",
            resources=Resources(**asdict(self._limits)),
            network=mounting.network(launch.order),
            labels=self._labels(launch.folder, launch.number),
            environment={"HOME": mounting.SCRATCH, "TMPDIR": mounting.SCRATCH, "LANG": "C.UTF-8"},
            binds=[*job_binds(launch), *sights.binds(launch), *store_binds(launch)],
            capabilities=mounting.capabilities(launch, os.getuid()),
            folder=mounting.SCRATCH,
        )


class ContainerWorker:
    """A worker's container, running or ended."""

    def __init__(self, engine_url: str | None, container: str, process: ProcessIdentity | None) -> None:
        """`process` is the container's main process on this machine, where that can be seen: it is followed without the Engine."""
        self.process = process
        self._engine_url = engine_url
        self._container = container
        self._engine: Engine | None = None

    def __str__(self) -> str:
        """For the log."""
        return f"container {self._container[:12]}"

    async def wait(self) -> int | None:
        """Until it has ended, through an Engine that goes away; its exit code, or None when nobody can tell."""
        if self.process is not None:
            await Worker(self.process).wait()
        ended_at = asyncio.get_running_loop().time()
        while True:
            try:
                state = await asyncio.to_thread(self._look)
            except StrongroomError as error:
                log.info("%s is not seen now: %s", self, error.message)
                self._engine = None
                if (
                    self.process is not None
                    and asyncio.get_running_loop().time() > ended_at + PATIENCE_SECONDS
                ):
                    return None
            else:
                if state is None or not state.running:
                    return self._exit_code(state)
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self, grace_seconds: float) -> None:
        """By the Engine; where that is away, by signals to the main process, whose death ends all the others."""
        try:
            await asyncio.to_thread(self._stop, grace_seconds)
        except StrongroomError as error:
            log.warning("%s cannot be stopped by its Engine: %s", self, error.message)
            if self.process is not None:
                await Worker(self.process).stop(grace_seconds)

    def _exit_code(self, state: State | None) -> int | None:
        if state is None:
            return None
        if state.out_of_memory:
            log.warning("%s has run out of memory", self)
        return state.exit_code

    def _look(self) -> State | None:
        self._engine = self._engine or connect_engine(self._engine_url)
        return look_at_worker(self._engine, self._container)

    def _stop(self, grace_seconds: float) -> None:
        stop_worker(connect_engine(self._engine_url), self._container, grace_seconds)


def identify_main(container: str, state: State | None) -> ProcessIdentity | None:
    """The container's main process, if it runs and is seen from here: an agent in a container has other numbers."""
    if state is None or not state.pid:
        return None
    try:
        groups = Path(f"/proc/{state.pid}/cgroup").read_text()
    except OSError:
        return None
    return identify(state.pid) if container in groups else None


def _command(launch: Launch) -> list[str]:
    options = {
        "--order": mounting.ORDER,
        "--secrets": mounting.SECRETS,
        "--result": f"{mounting.OUTPUT}/{launch.files.result.name}",
        "--scratch": mounting.SCRATCH,
        "--progress": f"{mounting.OUTPUT}/{launch.files.progress.name}",
        "--log": f"{mounting.OUTPUT}/{launch.files.log.name}",
        "--journal": mounting.JOURNAL,
        "--mounts": mounting.MOUNTS,
    }
    if launch.order.needs_engine:
        options["--engine"] = f"unix://{mounting.ENGINE}/{launch.files.gate_socket.name}"
    given = (word for option, value in options.items() for word in (option, value))
    return ["worker", *given, *restore_words(launch)]
