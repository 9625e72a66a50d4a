"""Starting a worker, finding it again, waiting for its end, and ending it with everything it started."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from strongroom.agent.durable import PRIVATE_FILE
from strongroom.agent.processes import (
    ProcessIdentity,
    identify_child,
    is_alive,
    kill_inside,
    kill_session,
    terminate_group,
)

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""All that a worker inherits from the agent's environment."""
POLL_SECONDS = 0.5
KILLED_SECONDS = 30


@dataclass(frozen=True)
class Launch:
    """How one worker is started."""

    command: tuple[str, ...]
    order: Path
    secrets: Path
    result: Path
    scratch: Path
    stdout: Path
    stderr: Path

    def arguments(self) -> list[str]:
        """The command line. It holds paths only; the order's names the Job for ever."""
        named = {
            "--order": self.order,
            "--secrets": self.secrets,
            "--result": self.result,
            "--scratch": self.scratch,
        }
        return [*self.command, *(word for option, path in named.items() for word in (option, str(path)))]

    def environment(self) -> dict[str, str]:
        """The environment: no secret, and no home that could hold one."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {"LANG": "C.UTF-8", **passed, "HOME": str(self.scratch), "TMPDIR": str(self.scratch)}


class Worker:
    """A worker process: our child, or one that an earlier agent left us."""

    def __init__(self, identity: ProcessIdentity, child: subprocess.Popen[bytes] | None = None) -> None:
        """Use `start_worker`, or the identity of a process that is known to be a worker."""
        self.identity = identity
        self._child = child

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


def start_worker(launch: Launch, started: Callable[[ProcessIdentity], None]) -> Worker:
    """Start a worker in its own session and call `started` with its identity; blocks.

    If `started` raises (it could not be written down), the process is killed and the error raised.
    """
    with _output(launch.stdout) as stdout, _output(launch.stderr) as stderr:
        child = subprocess.Popen(
            launch.arguments(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=launch.scratch,
            env=launch.environment(),
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
