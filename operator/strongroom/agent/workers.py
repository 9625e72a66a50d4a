"""Workers as processes: started, found again, waited for, and ended with everything that they started."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from strongroom.agent.durable import PRIVATE_FILE
from strongroom.agent.folders import JobFolder
from strongroom.agent.processes import (
    ProcessIdentity,
    find_by_argument,
    identify_child,
    is_alive,
    kill_inside,
    kill_session,
    terminate_group,
)
from strongroom.agent.records import Attempt
from strongroom.agent.working import Launch, RunningWorker
from strongroom.engine.connecting import engine_url

LAUNCH_SECONDS = 1.0
_AWS = ("REGION", "DEFAULT_REGION", "PROFILE", "CONFIG_FILE", "SHARED_CREDENTIALS_FILE", "ROLE_ARN", "WEB_IDENTITY_TOKEN_FILE")  # fmt: skip
PASSED_ON = (
    *("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *(f"AWS_{name}" for name in _AWS),
)
"""All that a worker inherits from the agent's environment. Of AWS the names of files and roles, never what is secret."""
POLL_SECONDS = 0.5
KILLED_SECONDS = 30


class ProcessWorkers:
    """Workers as processes of this machine, with the agent's own rights. Implements `working.Workers`."""

    def __init__(self, command: tuple[str, ...], engine: str | None) -> None:
        """`command` starts a worker when its options are put behind it; `engine` is the Engine's address, if not the default."""
        self._command = command
        self._engine_url = engine

    def start(self, launch: Launch, attempt: Attempt, save: Callable[[Attempt], None]) -> "Worker":
        """Start one. Blocks, and runs to its end once begun."""
        save(attempt)
        return start_worker(
            (*self._command, *self._arguments(launch)),
            launch,
            lambda identity: save(attempt.model_copy(update={"process": identity})),
        )

    async def find(self, folder: JobFolder, attempt: Attempt) -> "Worker | None":
        """The one on record, or the one that an agent started but could not write down."""
        identity = attempt.process or await self._find(folder)
        return Worker(identity) if identity is not None else None

    async def clear(self, folder: JobFolder, attempt: Attempt, worker: RunningWorker | None) -> None:  # noqa: ARG002  the Protocol's
        """Nothing of it writes any more."""
        await end_strays(worker if isinstance(worker, Worker) else None, folder.scratch)

    async def _find(self, folder: JobFolder) -> ProcessIdentity | None:
        # Twice: a child of an agent that was killed while starting it may still be on its way to its program.
        for pause in (0.0, LAUNCH_SECONDS):
            await asyncio.sleep(pause)
            if found := await asyncio.to_thread(find_by_argument, str(folder.order)):
                return found
        return None

    def _arguments(self, launch: Launch) -> list[str]:
        """The options. They hold paths only; the order's names the Job for ever."""
        named: dict[str, object] = {
            "--order": launch.folder.order,
            "--secrets": launch.folder.secrets,
            "--result": launch.files.result,
            "--scratch": launch.folder.scratch,
            "--journal": launch.folder.journal,
        }
        if launch.order.needs_engine:
            # The agent's own environment, which may say where the Engine is, is not passed on.
            named["--engine"] = engine_url(self._engine_url)
        given = [word for option, value in named.items() for word in (option, str(value))]
        return [*given, *restore_words(launch)]


def restore_words(launch: Launch) -> list[str]:
    """What only a restore's worker is told."""
    reach = [f"--reach={network}" for network in launch.reach]
    return [*reach, *(["--roll-back"] if launch.rolls_back else [])]


def _environment(scratch: Path) -> dict[str, str]:
    """A worker's: no secret, and no home that could hold one."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"LANG": "C.UTF-8", **passed, "HOME": str(scratch), "TMPDIR": str(scratch)}


class Worker:
    """A worker process: our child, or one that an earlier agent left us."""

    def __init__(self, identity: ProcessIdentity, child: subprocess.Popen[bytes] | None = None) -> None:
        """Use `start_worker`, or the identity of a process that is known to be a worker."""
        self.identity = identity
        self._child = child

    def __str__(self) -> str:
        """For the log."""
        return f"process {self.identity.pid}"

    async def wait(self) -> int | None:
        """Until it has ended; its exit code (negative: the signal), or None when it was not our child."""
        try:
            descriptor = os.pidfd_open(self.identity.pid)
        except ProcessLookupError:
            return self._exit_code()
        except OSError:
            # Linux before 5.3 has no such call.
            while self._exit_code() is None and await asyncio.to_thread(is_alive, self.identity):
                await asyncio.sleep(POLL_SECONDS)
            return self._exit_code()
        try:
            # Only now is it certain that the descriptor is not of a stranger with the same number.
            if self._child is not None or is_alive(self.identity):
                await _readable(descriptor)
        finally:
            os.close(descriptor)
        return self._exit_code()

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM to the group, and after the grace SIGKILL to the whole session; `end_strays` is to follow."""
        await asyncio.to_thread(terminate_group, self.identity)
        try:
            async with asyncio.timeout(grace_seconds):
                await self.wait()
        except TimeoutError:
            await asyncio.to_thread(kill_session, self.identity)

    def reap(self) -> None:
        """Take the exit code of an ended child, so that no zombie is left."""
        self._exit_code()

    def _exit_code(self) -> int | None:
        return self._child.poll() if self._child is not None else None


async def end_strays(worker: Worker | None, scratch: Path) -> None:
    """End what is left of an ended or unknown worker: nothing of it may write any more.

    Again until nobody is found, for a process may fork between the look and the signal. One that the kernel cannot
    end (a hung mount) is left after a while: with SIGKILL pending its program never runs again.
    """

    def kill() -> int:
        return (kill_session(worker.identity) if worker else 0) + kill_inside(scratch)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILLED_SECONDS):
            while await asyncio.to_thread(kill):
                await asyncio.sleep(0.05)
    if worker is not None:
        worker.reap()


def start_worker(
    command: Sequence[str], launch: Launch, started: Callable[[ProcessIdentity], None]
) -> Worker:
    """Start a worker in its own session and call `started` with its identity; blocks.

    If `started` raises (it could not be written down), the process is killed and the error raised.
    """
    with _output(launch.files.progress) as stdout, _output(launch.files.log) as stderr:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=launch.folder.scratch,
            env=_environment(launch.folder.scratch),
            start_new_session=True,
        )
    try:
        identity = identify_child(child.pid)
        started(identity)
    except BaseException:
        child.kill()
        child.wait()
        raise
    return Worker(identity, child)


def _output(path: Path) -> BinaryIO:
    # Appending: the agent may empty the file under a worker that writes it.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "ab")


async def _readable(descriptor: int) -> None:
    """A process's descriptor becomes readable when it ends (pidfd_open(2))."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(descriptor, lambda: None if ended.done() else ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
