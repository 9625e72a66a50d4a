"""Which client programs are on this machine, and which of them fits a server?"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.programs.children import Child

PROGRAMS = ("pg_dump", "pg_restore", "pg_dumpall")
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/postgresql/*/bin")
"""Where distributions put them; the folders of PATH come after."""
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)[^\s]*")


@dataclass(frozen=True)
class Client:
    """One set of client programs."""

    major: int
    version: str
    folder: Path

    def program(self, name: str) -> Path:
        """Path of pg_dump, pg_restore or pg_dumpall."""
        return self.folder / name

    def start_restore(self, options: Sequence[str]) -> Child:
        """See Restorer."""
        return Child([self.program("pg_restore"), *options], _ENVIRONMENT, stdin=True)


def find_clients(folders: Iterable[str] = FOLDERS) -> list[Client]:
    """One complete set for each major version, the newest first. Folders may be patterns; PATH is looked at last."""
    found: dict[int, Client] = {}
    for folder in _expand([*folders, *os.get_exec_path()]):
        client = _client_in(folder)
        if client is not None:
            found.setdefault(client.major, client)
    return [found[major] for major in sorted(found, reverse=True)]


def choose_client(clients: Iterable[Client], server_major: int, source: str) -> Client:
    """The server's own major, else the nearest newer one: a newer client reads an older server, never the reverse.

    Raises ClientMissing when there is none at all, ClientTooOld when all are older than the server.
    """
    known = sorted(clients, key=lambda client: client.major)
    fitting = [client for client in known if client.major >= server_major]
    if fitting:
        return fitting[0]
    if not known:
        raise StrongroomError(
            Reason.ClientMissing,
            f"source {source}: the server is PostgreSQL {server_major}, and no pg_dump was found on this machine: "
            f"install postgresql-client-{server_major}",
        )
    raise StrongroomError(
        Reason.ClientTooOld,
        f"source {source}: the server is PostgreSQL {server_major}, the newest pg_dump on this machine is "
        f"{known[-1].major} ({known[-1].folder}): install postgresql-client-{server_major}",
    )


def _expand(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        if pattern.startswith("/"):
            yield from sorted(Path("/").glob(pattern.lstrip("/")) if pattern != "/" else [])


def _client_in(folder: Path) -> Client | None:
    if not all(shutil.which(name, path=str(folder)) for name in PROGRAMS):
        return None
    try:
        answer = subprocess.run(
            [folder / "pg_dump", "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = parse_version(answer.stdout)
    return None if version is None else Client(*version, folder)


def parse_version(said: str) -> tuple[int, str] | None:
    """Major and whole version out of what `pg_dump --version` prints."""
    match = _VERSION.search(said)
    return None if match is None else (int(match[1]), match[0].split(" ", 1)[1])
