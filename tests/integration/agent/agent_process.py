"""An agent as a process of its own that starts fast: forked from a server that has imported everything once."""

import logging
import multiprocessing
import os
import signal
from pathlib import Path

from strongroom.agent.run import run_agent
from strongroom.agent.settings import AgentSettings

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["strongroom.agent.run", __name__])


class AgentProcess:
    """One agent; it has started when this is made."""

    def __init__(self, settings: AgentSettings, log: Path) -> None:
        self._process = _forking.Process(target=_run, args=(settings, log))
        self._process.start()

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None when it still runs."""
        self._process.join(seconds)
        return self._process.exitcode


def _run(settings: AgentSettings, log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", force=True)
    os._exit(run_agent(settings))
