"""The embedded API server as a child process, for tests that need a real API."""

import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


class EmbeddedApi:
    """One server on a free port, which it keeps over restarts."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._process: subprocess.Popen[str] | None = None

    @property
    def admin(self) -> Path:
        return self.state / "admin.kubeconfig"

    @property
    def agent(self) -> Path:
        return self.state / "agent.kubeconfig"

    def start(self) -> None:
        command = [sys.executable, "-m", "strongroom.apiserver", "--state", str(self.state)]
        with (self.state.parent / f"{self.state.name}.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("ready"), "the API server did not start"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@contextmanager
def served(state: Path) -> Iterator[EmbeddedApi]:
    api = EmbeddedApi(state)
    api.start()
    try:
        yield api
    finally:
        api.kill()


async def until(look: Callable[[], Awaitable[T]], what: str, *, seconds: float = 90) -> T:
    """The first true answer of `look`; fails with `what` when there is none in time."""
    last: Any = None
    with anyio.move_on_after(seconds):
        while True:
            if last := await look():
                return last
            await anyio.sleep(0.05)
    raise AssertionError(f"in {seconds} s it was not so: {what} (last: {last!r})")
