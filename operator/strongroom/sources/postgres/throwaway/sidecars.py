"""A throw-away server in another container of this pod: reached by a socket in a folder that both have, ended with our lock on it."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.postgres.clients import Client
from strongroom.sources.postgres.connection import Connection
from strongroom.sources.postgres.network import HostPrograms, NetworkServer
from strongroom.sources.postgres.restoring.places import HostPlace
from strongroom.sources.postgres.restoring.reaching import Reach, ask_version, choose_programs
from strongroom.sources.postgres.throwaway.servers import SUPERUSER, ThrowAway, Wanted, could_not

_PORT = 5432
_START_SECONDS = 300
"""The image may have to be pulled."""
_LOOK_SECONDS = 0.5


@contextmanager
def running_sidecar(
    wanted: Wanted, clients: Sequence[Client], folder: Path, scratch: Path, image: str
) -> Iterator[ThrowAway]:
    """It runs; afterwards it ends. ClientMissing, ClientTooOld, DrillCouldNotRun."""
    if not folder.is_dir():
        raise could_not(
            f"source {wanted.source}: this pod has no server for it: the policy was changed meanwhile"
        )
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "begun").touch()
        server = NetworkServer(
            Connection(
                source=wanted.source,
                host=str(folder),
                port=_PORT,
                user=SUPERUSER,
                tls_mode="disable",
                ca_file=None,
                password_file=scratch / "no-passwords",
                password_secret=None,
            )
        )
        _await_start(server, image)
        yield _reached(server, wanted, clients, scratch, folder, image)
    finally:
        os.close(lock)


def _await_start(server: NetworkServer, image: str) -> None:
    """Return when it lets us in for good: while the image makes its cluster another server answers, elsewhere."""
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            with server.open_session("postgres") as session:
                if session.rows("select current_setting('full_page_writes') = 'off'")[0][0]:
                    return
                words = "its image has not made its cluster yet"
        except StrongroomError as error:
            words = error.message
        if time.monotonic() > until:
            raise could_not(f"the throw-away server of image {image} did not start: {words}")
        time.sleep(_LOOK_SECONDS)


def _reached(
    server: NetworkServer, wanted: Wanted, clients: Sequence[Client], scratch: Path, folder: Path, image: str
) -> ThrowAway:
    version, major = ask_version(server)
    if major != wanted.major:
        words = f"source {wanted.source}: the backup is of PostgreSQL {wanted.major}, and image {image} has {major} (spec.drill.image)"
        raise StrongroomError(Reason.ClientMissing, words)
    client = choose_programs(clients, wanted.source, major, wanted.dump_major)
    reach = Reach(
        server=server,
        programs=HostPrograms(client, server.connection),
        restorer=client,
        place=HostPlace(scratch, server.connection.host),
        server_major=major,
        server_version=version,
    )

    def as_role(role: str) -> NetworkServer:
        return NetworkServer(replace(server.connection, user=role))

    return ThrowAway(reach, as_role, lambda: shutil.disk_usage(folder).free)
