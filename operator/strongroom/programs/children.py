"""Programs of others, started without a shell and ended for certain."""

import contextlib
import fcntl
import os
import queue
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

STDERR_BYTES = 16 << 10
PIPE_BYTES = 1 << 20
_LOOK_SECONDS = 0.01
_START_SECONDS = 5


def _nothing() -> None:
    pass


class Child:
    """A program in a process group of its own. As a context manager it kills the whole group on leaving.

    The end of its stderr (16 KiB) is kept. stdin and stdout are pipes where asked for, else the null device.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        stdin: bool = False,
        folder: bytes | None = None,
        hear: Callable[[bytes], None] | None = None,
        descriptors: Sequence[int] = (),
        prepare: Callable[[], None] = _nothing,
        user: tuple[int, int] | None = None,
    ) -> None:
        """Start it, in `folder` or else in ours. The environment is all it gets: nothing is inherited but `descriptors`.

        These keep their numbers. `hear` gets all of its stderr, in a thread. `prepare` is called in the thread that starts
        the program and does nothing else: what it changes of the thread, the program has from it. `user`: numbers of another user and group that it runs as.
        """
        self._hear = hear

        def start() -> "subprocess.Popen[bytes]":
            prepare()
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd=folder,
                bufsize=0,
                process_group=0,
                pass_fds=descriptors,
                user=None if user is None else user[0],
                group=None if user is None else user[1],
                extra_groups=None if user is None else [],
            )

        self._process = _start_undisturbed(start)
        self._errors = bytearray()
        self._listener = threading.Thread(target=self._listen, name="stderr", daemon=True)
        self._listener.start()
        self._widen_pipes()

    def read(self, size: int) -> bytes:
        """Some of its stdout, at most `size` bytes; empty at the end."""
        return os.read(self._stdout, size)

    def readinto(self, buffer: memoryview) -> int:
        """Some of its stdout into the buffer; 0 at the end."""
        return os.readv(self._stdout, [buffer])

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """All of the chunk to its stdin; BrokenPipeError when it no longer reads."""
        assert self._process.stdin is not None  # noqa: S101 - a fault of the caller, who asked for no stdin
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._process.stdin.fileno(), rest) :]

    def close_stdin(self) -> None:
        """Tell it that this was all. Idempotent."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def wait(self) -> int:
        """Its exit code, negative for a signal, once it has ended."""
        code = self._process.wait()
        self._listener.join()
        return code

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself before that time is over."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def descriptors(self) -> tuple[int, int]:
        """Its stdin and stdout, for those who wait for both at once; stdin was asked for, and is open."""
        assert self._process.stdin is not None  # noqa: S101 - a fault of the caller, who asked for no stdin
        return self._process.stdin.fileno(), self._stdout

    def has_output_within(self, seconds: float) -> bool:
        """Whether there is something to read before that time is over, or the end of it."""
        poller = select.poll()
        poller.register(self._stdout, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def errors(self) -> str:
        """The end of what it wrote to stderr, complete after `wait`."""
        return self._errors.decode(errors="replace")

    @property
    def _stdout(self) -> int:
        assert self._process.stdout is not None  # noqa: S101 - always a pipe
        return self._process.stdout.fileno()

    def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - always a pipe
        with contextlib.suppress(ValueError, OSError):  # closed under us when the group is killed
            while chunk := os.read(self._process.stderr.fileno(), 4096):
                self._errors += chunk
                del self._errors[:-STDERR_BYTES]
                if self._hear is not None:
                    self._hear(chunk)

    def _widen_pipes(self) -> None:
        """Bigger pipes mean fewer switches between processes; a system may refuse, which only costs speed."""
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def kill(self) -> None:
        """End it and whatever it started, at once. Idempotent."""
        _kill_group(self._process)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it and close its pipes."""
        self.kill()
        self._listener.join()
        self.close_stdin()
        for pipe in filter(None, (self._process.stdout, self._process.stderr)):
            pipe.close()


def _start_undisturbed(start: "Callable[[], subprocess.Popen[bytes]]") -> "subprocess.Popen[bytes]":
    """What it returns, started in a thread of its own.

    Signal handlers raise in the main thread, also in the midst of starting: that would leave a program which nobody knows.
    """
    started: list[subprocess.Popen[bytes]] = []
    failures: list[BaseException] = []
    ended: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run() -> None:
        try:
            started.append(start())
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            failures.append(error)
        ended.put(None)

    try:
        threading.Thread(target=run, name="start", daemon=True).start()
        ended.get()
    except BaseException:
        patience = time.monotonic() + _START_SECONDS  # the thread itself may not have begun
        while not (started or failures) and time.monotonic() < patience:
            time.sleep(_LOOK_SECONDS)
        for process in started:
            _kill_group(process)
        raise
    for error in failures:
        raise error
    return started[0]


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
