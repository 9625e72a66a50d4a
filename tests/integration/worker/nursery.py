"""Worker processes without the second that each would take to import everything: forked from one that has done it.

They are processes of their own in all else: environment, output, signals, exit code and end. `python -m
tests.integration.worker.nursery SOCKET` is the one that forks; it ends with its test process.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[3]
_MOST_BYTES = 1 << 16


class ForkedWorker:
    """A running worker, as subprocess.Popen has it; `stdout` and `stderr` are texts."""

    def __init__(self, pid: int, stdout: IO[str], stderr: IO[str], status: int) -> None:
        """`status` is where its exit code comes from, once."""
        self.pid = pid
        self.stdout: IO[str] | None = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float = 120) -> int:
        deadline = time.monotonic() + timeout
        while self._look(max(0.0, deadline - time.monotonic())) is None:
            if time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired("worker", timeout)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """All that is left of its words, and its end."""
        told = {"stdout": "", "stderr": ""}

        def read(name: str, stream: IO[str]) -> None:
            with stream:
                told[name] = stream.read()

        streams = {"stdout": self.stdout, "stderr": self.stderr}
        readers = [
            threading.Thread(target=read, args=pair, daemon=True) for pair in streams.items() if pair[1]
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return told["stdout"], told["stderr"]

    def _look(self, seconds: float) -> int | None:
        if self.returncode is None and _is_readable(self._status, seconds):
            code = os.read(self._status, 16)
            os.close(self._status)
            # Without a word the nursery has gone, and nobody knows.
            self.returncode = int(code) if code else -signal.SIGKILL
        return self.returncode


def _is_readable(descriptor: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        return bool(selector.select(seconds))


class Nursery:
    """The process that forks, seen from a test."""

    def __init__(self) -> None:
        """Started with as little of an environment as the workers have."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.integration.worker.nursery", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, env={"PATH": os.environ["PATH"]}, cwd=ROOT, pass_fds=[theirs.fileno()]
            )

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> ForkedWorker:
        stdout, stderr, status = os.pipe(), os.pipe(), os.pipe()
        message = json.dumps([list(arguments), dict(environment), str(Path.cwd())]).encode()
        socket.send_fds(self._socket, [message], [stdout[1], stderr[1], status[1]])
        for _, theirs in (stdout, stderr, status):
            os.close(theirs)
        pid = int(self._socket.recv(16))
        return ForkedWorker(pid, os.fdopen(stdout[0]), os.fdopen(stderr[0]), status[0])

    def close(self) -> None:
        self._socket.close()
        self._process.wait(60)


def _work(words: Sequence[str]) -> int:
    from strongroom.worker.run import WorkerPaths, run_worker

    order, secrets, result, scratch, journal, roll_back, *folders = words
    more = {"journal": Path(journal) if journal else None, "roll_back": bool(roll_back)}
    paths = WorkerPaths(Path(order), Path(secrets), Path(result), Path(scratch), folders, **more)  # type: ignore[arg-type]
    return run_worker(paths)


def _serve(asked: socket.socket) -> int:
    """In the nursery: 0 at the end of requests. In a worker: its exit code."""
    import strongroom.worker.run  # noqa: F401 - what every worker has from its birth

    children: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not asked:
                    selector.unregister(key.fileobj)
                    _tell(*children.pop(key.fd), key.fd)
                    continue
                message, descriptors, _, _ = socket.recv_fds(asked, _MOST_BYTES, 3)
                if not message:
                    return 0
                pid = os.fork()
                if pid == 0:
                    break
                asked.send(str(pid).encode())
                for each in descriptors[:2]:
                    os.close(each)
                handle = os.pidfd_open(pid)
                children[handle] = (pid, descriptors[2])
                selector.register(handle, selectors.EVENT_READ)
            else:
                continue
            break
    for handle, (_, status) in children.items():
        os.close(handle)
        os.close(status)
    asked.close()
    return _work(_become(json.loads(message), descriptors))


def _become(order: Any, descriptors: Sequence[int]) -> list[str]:
    """The worker's own environment and output; its words."""
    words, environment, folder = order
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(descriptors[0], 1)
    os.dup2(descriptors[1], 2)
    for each in descriptors:
        os.close(each)
    return [str(word) for word in words]


def _tell(pid: int, status: int, handle: int) -> None:
    _, ended = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(status, str(os.waitstatus_to_exitcode(ended)).encode())
    os.close(status)
    os.close(handle)


if __name__ == "__main__":
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
