"""What can be found out about this machine: its system and the PostgreSQL clients on it. Blocks for at most some seconds."""

import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from strongroom.api.dockerhost import PostgresClient

VERSION_SECONDS = 5
MOST_CLIENTS = 16
PLACES = ("/usr/lib/postgresql/*/bin/pg_dump", "/usr/pgsql-*/bin/pg_dump", "/usr/local/pgsql/bin/pg_dump")
"""Where Debian, Red Hat and the source put them."""
_VERSION = re.compile(r"pg_dump \(PostgreSQL\) ((\d+)[^\s]*)")


def operating_system() -> str:
    """The distribution's own name for itself, else the kernel's."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name} ({platform.machine()})"[:128]


def postgres_clients() -> list[PostgresClient]:
    """The clients that can be run, one for each major version, ascending."""
    found: dict[int, PostgresClient] = {}
    for program in _programs():
        client = _ask(program)
        if client is not None:
            found.setdefault(client.major, client)
    return [found[major] for major in sorted(found)][:MOST_CLIENTS]


def parse_version(text: str) -> PostgresClient | None:
    """Read `pg_dump --version`, such as `pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`."""
    match = _VERSION.match(text)
    if match is None or not 8 <= int(match[2]) <= 99:
        return None
    return PostgresClient(major=int(match[2]), version=match[1][:64])


def _programs() -> Iterable[str]:
    for place in PLACES:
        root = Path("/")
        yield from (str(path) for path in sorted(root.glob(place.removeprefix("/"))))
    if (default := shutil.which("pg_dump")) is not None:
        yield default


def _ask(program: str) -> PostgresClient | None:
    try:
        answer = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stdout[:256].decode(errors="replace"))
