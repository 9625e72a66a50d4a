"""Keeping the parts of `strongroom up` alive: start, probe, start again, stop.

A part that ends is started again with a growing delay; one whose health probe stays red is killed first. If the supervisor
itself is killed, the kernel ends its parts (PR_SET_PDEATHSIG); running workers go on and are adopted at the next start.
"""

import asyncio
import contextlib
import ctypes
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 5.0
_STEADY_SECONDS = 30.0
PROBE_SECONDS = 10.0
_PROBES_UNTIL_KILL = 4
_START_SECONDS = 120.0
"""For a part's first sign of life: on a busy machine a start is slow, and to begin it anew would never end."""
_STOP_SECONDS = 20.0

_libc = ctypes.CDLL(None, use_errno=True)


Probe = Callable[[], Awaitable[bool]]
"""Whether a process works, seen from outside."""


@dataclass(frozen=True)
class Part:
    """One child process: how it is started, when it may start, and how to see that it works."""

    name: str
    command: Sequence[str]
    wait_for: Callable[[], Awaitable[None]]
    look: Callable[[], Probe]
    """Makes the probe of one process, at its start: what an earlier one left is no sign of its life."""


class TouchedFile:
    """The health of a part that touches a file while it lives: seen by changes alone, which no clock and no old file can feign."""

    def __init__(self, path: Path, silence_seconds: float) -> None:
        """`silence_seconds`: how long the file may stay as it is."""
        self._path = path
        self._silence_seconds = silence_seconds
        self._seen = self._look()
        self._changed = float("-inf")

    async def __call__(self) -> bool:
        """Whether the file has changed lately."""
        touched = await asyncio.to_thread(self._look)
        if touched != self._seen:
            self._seen, self._changed = touched, time.monotonic()
        return time.monotonic() - self._changed <= self._silence_seconds

    def _look(self) -> int | None:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None


async def supervise(
    parts: Sequence[Part],
    stop: asyncio.Event,
    *,
    keep_open: Sequence[int] = (),
    probe_seconds: float = PROBE_SECONDS,
) -> None:
    """Keep every part running until `stop` is set, then end them in reverse order; they inherit the descriptors `keep_open`."""
    halts = [asyncio.Event() for _ in parts]
    tasks = [
        asyncio.create_task(_keep(part, halt, keep_open, probe_seconds), name=part.name)
        for part, halt in zip(parts, halts, strict=True)
    ]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()
    finally:
        for halt, task in reversed(list(zip(halts, tasks, strict=True))):
            halt.set()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        stopped.cancel()


async def _keep(part: Part, halt: asyncio.Event, keep_open: Sequence[int], probe_seconds: float) -> None:
    delay = _FIRST_DELAY_SECONDS
    while not halt.is_set():
        if not await _finished_first(part.wait_for(), halt):
            return
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *part.command, stdin=asyncio.subprocess.DEVNULL, preexec_fn=_die_with_parent, pass_fds=keep_open
        )
        logger.info("%s started (pid %d)", part.name, process.pid)
        await _watch(part, process, halt, probe_seconds)
        if halt.is_set():
            await _end(part, process)
            return
        delay = (
            _FIRST_DELAY_SECONDS
            if time.monotonic() - started > _STEADY_SECONDS
            else min(delay * 2, _LONGEST_DELAY_SECONDS)
        )
        logger.warning("%s ended with %s; starting it again in %.1f s", part.name, process.returncode, delay)
        await _finished_first(asyncio.sleep(delay), halt)


async def _watch(
    part: Part, process: asyncio.subprocess.Process, halt: asyncio.Event, probe_seconds: float
) -> None:
    """Return when the process has ended or `halt` is set; kill it when its probe stays red."""
    exited = asyncio.ensure_future(process.wait())
    halted = asyncio.ensure_future(halt.wait())
    probe, red, works = part.look(), 0, False
    started = time.monotonic()
    try:
        while not exited.done() and not halted.done():
            await asyncio.wait([exited, halted], timeout=probe_seconds, return_when=asyncio.FIRST_COMPLETED)
            if exited.done() or halted.done():
                break
            if await probe():
                if not works:
                    logger.info("%s (pid %d) works", part.name, process.pid)
                red, works = 0, True
            elif works or time.monotonic() - started > _START_SECONDS:
                red += 1
            if red >= _PROBES_UNTIL_KILL:
                logger.error(
                    "%s (pid %d) does not answer its health probe: killing it", part.name, process.pid
                )
                process.kill()
                await exited
    finally:
        halted.cancel()
        if not exited.done():
            exited.cancel()


async def _end(part: Part, process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        logger.warning("%s did not stop within %.0f s: killing it", part.name, _STOP_SECONDS)
        process.kill()
        await process.wait()
    logger.info("%s stopped", part.name)


async def _finished_first(work: Awaitable[None], halt: asyncio.Event) -> bool:
    """Whether the work finished before `halt` was set; otherwise it is cancelled."""
    task = asyncio.ensure_future(work)
    halted = asyncio.ensure_future(halt.wait())
    await asyncio.wait([task, halted], return_when=asyncio.FIRST_COMPLETED)
    halted.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    return False


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
