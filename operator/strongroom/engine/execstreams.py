"""A program run inside a container: its stdout read here, and known to be whole only by what was counted there.

A stream of the Engine's that is cut ends like any other, and often with exit code 0. So the shell around the program counts
and digests the bytes inside the container, and says so in a trailer with the program's exit code after it has ended.
"""

import hashlib
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self

import docker.errors

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.ending import end_bearers, sealed
from strongroom.engine.execscripts import FED, MEASURED, PLAIN
from strongroom.engine.failures import engine_failures
from strongroom.engine.frames import Frames, never, nobody
from strongroom.engine.hijacking import start_exec
from strongroom.engine.trailers import Lines, parse_trailer

_DRAIN_BYTES = 64 << 10


@dataclass(frozen=True)
class ExecOptions:
    """How the program runs. `environment` is shown by the Engine; `secrets` are variables that travel by stdin alone.

    `user` is the container's own without one. `stdin`: the program reads what is written; else its stdin is empty.
    Not `measured`: only how the program ended is known; all that it writes is in `errors`; the container needs `sh` alone.
    """

    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    stdin: bool = False
    measured: bool = True

    @property
    def script(self) -> str:
        """What the shell does around the program."""
        if not self.measured:
            return PLAIN
        return FED if self.stdin else MEASURED


_DEFAULTS = ExecOptions()


class ExecStream:
    """A program under way, in the shape of a child process. As a context manager it ends the program on leaving, for certain.

    What was started ends also when this process is killed: the exec's stdin is its lifeline.
    """

    def __init__(
        self,
        engine: Engine,
        container: Container,
        argv: Sequence[str],
        *,
        marker: str,
        options: ExecOptions = _DEFAULTS,
        hear: Callable[[bytes], None] | None = None,
    ) -> None:
        """Start it as an argument list; `marker` is build_marker's. No shell text is made of any value.

        `hear` gets every line of its stderr, of which else the end is kept alone (20 KiB), while stdout is read.

        Raises ContainerNotFound when the container is gone, stopped or paused, or EngineUnreachable.
        """
        self._engine, self._container = engine, container
        self._options = options
        self._nonce = secrets.token_hex(16)
        self._digest = hashlib.sha256()
        self._count = 0
        self._is_closed = False
        exec_id = create_exec(engine, container, _command(argv, marker, self._nonce, options), options)
        self._connection, begun = start_exec(engine, exec_id)
        # Without a measure the trailer ends it: what a program leaves behind may hold its stdout open for ever.
        is_over = never if options.measured else self._has_ended
        told = nobody if hear is None else Lines(self._nonce, hear).write
        self._frames = Frames(self._connection, begun, is_over, told)
        try:
            for value in options.secrets.values():
                self.write(value.encode(errors="surrogateescape") + b"\n")
        except BaseException:
            self.kill()
            raise

    def readinto(self, buffer: memoryview) -> int:
        """Some of its stdout into the buffer; 0 at the end of what came, which says nothing of its completeness."""
        try:
            count = self._frames.readinto(buffer)
        except TimeoutError:  # the caller's own limit
            raise
        except (OSError, ValueError) as error:
            raise self._cut(str(error)) from error
        self._digest.update(buffer[:count])
        self._count += count
        return count

    def read(self, size: int) -> bytes:
        """Some of its stdout, at most `size` bytes; empty at the end of what came."""
        buffer = bytearray(size)
        count = self.readinto(memoryview(buffer))
        return bytes(buffer[:count])

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """All of the chunk to its stdin; BrokenPipeError when the connection no longer takes it."""
        try:
            self._connection.sendall(chunk)
        except OSError as error:
            raise BrokenPipeError(str(error)) from error

    def close_stdin(self) -> None:
        """Tell it that this was all. Idempotent."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def wait(self) -> int:
        """Its exit code, once all its stdout was read and is known to be whole.

        Raises ContainerNotFound, EngineUnreachable or else DumpIncomplete when it is not known.
        """
        buffer = memoryview(bytearray(_DRAIN_BYTES))
        while self.readinto(buffer):
            pass
        trailer = parse_trailer(self._frames.errors, self._nonce)
        if trailer is None:
            raise self._cut("the stream has no end mark: it was cut, or what wrote it was ended")
        if self._options.measured and not trailer.fits(self._count, self._digest.hexdigest()):
            raise self._cut(f"the {self._count} bytes that came are not what was counted in the container")
        return trailer.exit_code

    def errors(self) -> str:
        """The end of what it wrote to stderr, complete after `wait`."""
        said = bytes(self._frames.errors).partition(f"\n{self._nonce} ".encode())[0]
        return said.decode(errors="replace")

    def limit(self, seconds: float) -> None:
        """From now on reading raises TimeoutError when that much time has gone by."""
        self._frames.deadline = time.monotonic() + seconds

    def _has_ended(self) -> bool:
        return parse_trailer(self._frames.errors, self._nonce) is not None

    def kill(self) -> None:
        """End it and whatever it started. Idempotent; quiet when there is no Engine or container any more.

        The Engine calls an exec ended whose reader has gone, whatever still runs: only a look inside is certain.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._connection.close()
        if not self._has_ended():
            end_bearers(self._engine, self._container, self._nonce, user=self._options.user)

    def _cut(self, words: str) -> StrongroomError:
        """Why the stream is not whole: no Engine, no container, no shell in it, or just a cut."""
        try:
            with engine_failures(self._engine):
                state = self._engine.api.inspect_container(self._container.id)["State"]
        except StrongroomError as error:
            return StrongroomError(error.reason, f"{self._container}: {words}; {error.message}")
        if not state["Running"]:
            words = f"it has stopped (exit code {state['ExitCode']}); {words}"
        said = excerpt(self.errors())
        return StrongroomError(
            Reason.DumpIncomplete, f"{self._container}: {words}" + (f": {said}" if said else "")
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.kill()


def _command(argv: Sequence[str], marker: str, nonce: str, options: ExecOptions) -> list[str]:
    names = [str(len(options.secrets)), *options.secrets]
    return ["sh", "-c", options.script, sealed(marker), nonce, *names, *argv]


def create_exec(engine: Engine, container: Container, command: list[str], options: ExecOptions) -> str:
    """An exec that is not yet started; its id. ContainerNotFound when the container is gone, stopped or paused."""
    with engine_failures(engine), _refusals(container):
        made = engine.api.exec_create(
            container.id,
            command,
            stdin=True,
            user=options.user or "",
            environment=dict(options.environment),
        )
    return str(made["Id"])


@contextmanager
def _refusals(container: Container) -> Iterator[None]:
    """409 is a container that is stopped or paused."""
    try:
        yield
    except docker.errors.APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
        raise StrongroomError(
            Reason.ContainerNotFound, f"{container} does not run: {excerpt(str(error.explanation))}"
        ) from error
