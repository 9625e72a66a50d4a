"""Containers of ours that no Job holds any more: left when the Engine was away as they were to be removed."""

import logging

from strongroom.agent.folders import StateFolder
from strongroom.api.labels import AGENT_LABEL, JOB_LABEL
from strongroom.engine.connecting import Engine
from strongroom.engine.workercontainers import list_workers, remove_worker

log = logging.getLogger(__name__)


def sweep(engine: Engine, state: StateFolder, identity: str) -> None:
    """Remove them, whatever they do; no other agent's and nobody else's. Blocks. Raises EngineUnreachable."""
    found = list_workers(engine, JOB_LABEL, {AGENT_LABEL: identity})
    # After the listing: a Job's folder is there before its first container is.
    held = {folder.uid for folder in state.jobs()} if found else set()
    for container in (each for each, job in found.items() if job not in held):
        log.warning("container %s of a Job that is over is removed", container[:12])
        remove_worker(engine, container)
