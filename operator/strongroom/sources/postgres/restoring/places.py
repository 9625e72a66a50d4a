"""Where client programs run, and the room that there is: this machine, or the server's container."""

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.engine.execs import ExecOptions, ExecStream
from strongroom.sources.postgres.incontainer import ContainerServer
from strongroom.sources.reading import Chunk

MARGIN_BYTES = 64 << 20
"""Of a place that a dump is laid into, so much stays free."""

_LOOK = r"""
for folder in "${TMPDIR:-/tmp}" /var/tmp /dev/shm; do
  [ -d "$folder" ] && [ -w "$folder" ] || continue
  printf '%s\n' "$folder"
  df -Pk "$folder" | tail -n 1
  exit
done
"""
_FREE = 'df -Pk "$1" | tail -n 1'
_STASH = 'umask 077; cat >"$1" && wc -c <"$1"'
_REMOVE = 'rm -f "$@"'
_PRINTED_BYTES = 64 << 10


class Stash(Protocol):
    """A file that is written once, beside the programs."""

    @property
    def path(self) -> str:
        """Its path, as the programs see it."""

    def write(self, chunk: Chunk) -> None:
        """Append. NotEnoughSpace, RestoreFailed."""

    def finish(self) -> None:
        """All of it is there now. NotEnoughSpace, RestoreFailed."""

    def remove(self) -> None:
        """Idempotent; raises nothing."""


class Place(Protocol):
    """Where the programs run."""

    def free_bytes(self) -> int | None:
        """Room for files of ours; None where there is no place for any."""

    def free_bytes_of(self, folder: str) -> int | None:
        """Room in a folder of the server's machine, None where it is not known."""

    def stash(self, name: str) -> Stash:
        """A new file; one of that name, which another attempt has left, is removed first."""

    def remove_stashes(self, names: Sequence[str]) -> None:
        """Remove files of these names, which a worker that was killed may have left. Idempotent; raises nothing."""


@dataclass(frozen=True)
class HostPlace:
    """See Place: this machine. `host` is where the server is reached."""

    scratch: Path
    host: str

    def free_bytes(self) -> int | None:
        """See Place."""
        return max(0, shutil.disk_usage(self.scratch).free - MARGIN_BYTES)

    def free_bytes_of(self, folder: str) -> int | None:
        """See Place. A server that is reached over loopback may run in a container: then the folder is not here."""
        with suppress(OSError):
            if _is_loopback(self.host) and (Path(folder) / "PG_VERSION").exists():
                return shutil.disk_usage(folder).free
        return None

    def stash(self, name: str) -> "HostStash":
        """See Place."""
        return HostStash(self.scratch / name)

    def remove_stashes(self, names: Sequence[str]) -> None:
        """See Place."""
        for name in names:
            with suppress(OSError):
                (self.scratch / name).unlink(missing_ok=True)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HostStash:
    """See Stash."""

    def __init__(self, path: Path) -> None:
        """Make it, for our eyes alone."""
        path.unlink(missing_ok=True)
        self._path = path
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)

    @property
    def path(self) -> str:
        """See Stash."""
        return str(self._path)

    def write(self, chunk: Chunk) -> None:
        """See Stash."""
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            reason = (
                Reason.NotEnoughSpace if error.errno in {errno.ENOSPC, errno.EDQUOT} else Reason.RestoreFailed
            )
            raise StrongroomError(
                reason,
                f"the dump cannot be laid into {self._path.parent} on the worker's machine: {error.strerror}",
            ) from error

    def finish(self) -> None:
        """See Stash. It need not outlive this process."""
        self._file.close()

    def remove(self) -> None:
        """See Stash."""
        self._file.close()
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ContainerPlace:
    """See Place: the server's container."""

    server: ContainerServer

    def free_bytes(self) -> int | None:
        """See Place."""
        folder, free = self._look()
        return None if folder is None else free

    def free_bytes_of(self, folder: str) -> int | None:
        """See Place."""
        return _parse_free(self._run(_FREE, folder))

    def stash(self, name: str) -> "ContainerStash":
        """See Place."""
        folder, _ = self._look()
        if folder is None:
            raise StrongroomError(Reason.NotEnoughSpace, f"{self._name} has no folder that may be written to")
        return ContainerStash(self.server, f"{folder}/{name}")

    def remove_stashes(self, names: Sequence[str]) -> None:
        """See Place."""
        with suppress(StrongroomError):
            folder, _ = self._look()
            if folder is not None:
                self._run(_REMOVE, *(f"{folder}/{name}" for name in names))

    @property
    def _name(self) -> str:
        return f"source {self.server.source}: {self.server.inside.container}"

    def _look(self) -> tuple[str | None, int]:
        folder, _, line = self._run(_LOOK).partition("\n")
        free = _parse_free(line)
        return (folder or None, 0) if free is None else (folder, max(0, free - MARGIN_BYTES))

    def _run(self, script: str, *arguments: str) -> str:
        """What it prints; nothing where it fails."""
        with start_script(self.server, script, arguments) as stream:
            printed = b""
            while len(printed) < _PRINTED_BYTES and (chunk := stream.read(4096)):
                printed += chunk
            return printed.decode(errors="replace") if stream.wait() == 0 else ""


def _parse_free(line: str) -> int | None:
    """Out of a line of `df -Pk`: file system, blocks, used, available, capacity, mount."""
    words = line.split()
    return int(words[3]) << 10 if len(words) > 5 and words[3].isdecimal() else None


def start_script(
    server: ContainerServer, script: str, arguments: Sequence[str], *, stdin: bool = False
) -> ExecStream:
    """Begin a script in the server's container; the arguments are its parameters."""
    inside = server.inside
    argv = ["sh", "-c", script, "strongroom", *arguments]
    options = ExecOptions(environment={"LC_ALL": "C"}, stdin=stdin)
    return ExecStream(inside.engine, inside.container, argv, marker=inside.marker, options=options)


class ContainerStash:
    """See Stash. A worker that is killed leaves it to the next one, whichever way that goes."""

    def __init__(self, server: ContainerServer, path: str) -> None:
        """Begin to write."""
        self._server = server
        self._path = path
        self._size = 0
        self._stream = start_script(server, _STASH, [path], stdin=True)

    @property
    def path(self) -> str:
        """See Stash."""
        return self._path

    def write(self, chunk: Chunk) -> None:
        """See Stash."""
        try:
            self._stream.write(chunk)
        except BrokenPipeError as error:
            raise self._failure() from error
        self._size += len(chunk)

    def finish(self) -> None:
        """See Stash."""
        self._stream.close_stdin()
        printed = b""
        while chunk := self._stream.read(4096):
            printed += chunk
        if self._stream.wait() != 0 or printed.strip() != str(self._size).encode():
            raise self._failure()
        self._stream.__exit__(None, None, None)

    def remove(self) -> None:
        """See Stash."""
        self._stream.__exit__(None, None, None)
        with suppress(StrongroomError), start_script(self._server, _REMOVE, [self._path]) as stream:
            stream.wait()

    def _failure(self) -> StrongroomError:
        with suppress(StrongroomError):
            self._stream.wait()
        words = self._stream.errors()
        reason = Reason.NotEnoughSpace if "No space left" in words else Reason.RestoreFailed
        where = f"source {self._server.source}: {self._server.inside.container}"
        return StrongroomError(
            reason, f"{where}: the dump cannot be laid into {self._path}: {excerpt(words)}"
        )
