"""A throw-away server in a container of an image that is laid out as the official one, reached by programs inside of it alone."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import Engine
from strongroom.engine.drillcontainers import (
    DrillContainer,
    end_drill_container,
    runs,
    start_drill_container,
)
from strongroom.engine.execs import build_marker
from strongroom.sources.postgres.clients import Client
from strongroom.sources.postgres.incontainer import ContainerServer, Inside, Login, look_inside
from strongroom.sources.postgres.restoring.facts import data_folder
from strongroom.sources.postgres.restoring.places import ContainerPlace
from strongroom.sources.postgres.restoring.reaching import Reach, ask_version
from strongroom.sources.postgres.throwaway.servers import SUPERUSER, ThrowAway, Wanted, could_not

_START_SECONDS = 180
_LOOK_SECONDS = 0.2
_PORT = 5432


@contextmanager
def running_container(
    engine: Engine, container: DrillContainer, wanted: Wanted, clients: Sequence[Client]
) -> Iterator[ThrowAway]:
    """It runs inside; afterwards it is gone. ImageMissing, ClientMissing, ClientTooOld, DrillCouldNotRun, EngineUnreachable."""
    try:
        made = start_drill_container(engine, container)
        inside = Inside(engine, made, wanted.source, build_marker(container.run_uid))
        server = look_inside(inside, Login(SUPERUSER, _PORT, None, None))
        _await_start(engine, server)
        yield _reached(server, wanted, container, clients)
    finally:
        end_drill_container(engine, container.name)


def _await_start(engine: Engine, server: ContainerServer) -> None:
    """Return when it lets us in for good: while the image makes its cluster another server answers, which goes down again."""
    until = time.monotonic() + _START_SECONDS
    seen = None
    while True:
        try:
            with server.open_session("postgres") as session:
                started = session.rows("select pg_postmaster_start_time()::text, current_setting('fsync')")[0]
        except StrongroomError as error:
            if not runs(engine, server.inside.container.name) or time.monotonic() > until:
                raise could_not(
                    f"the throw-away server did not start in {server.inside.container}: {error.message}"
                ) from error
        else:
            if started == seen and _is_main(server):
                return
            seen = started
        time.sleep(_LOOK_SECONDS)


def _is_main(server: ContainerServer) -> bool:
    """The cluster's first server runs with the image's own settings, the second one with those of our command."""
    with server.open_session("postgres") as session:
        return bool(session.rows("select current_setting('full_page_writes') = 'off'")[0][0])


def _reached(
    server: ContainerServer, wanted: Wanted, container: DrillContainer, clients: Sequence[Client]
) -> ThrowAway:
    image = container.image
    version, major = ask_version(server)
    if major != wanted.major:
        words = f"source {wanted.source}: the backup is of PostgreSQL {wanted.major}, and image {image} has {major} (spec.drill.image)"
        raise StrongroomError(Reason.ClientMissing, words)
    if server.major < wanted.dump_major:
        words = f"source {wanted.source}: the dump was made by pg_dump {wanted.dump_major}, and image {image} has {server.major}"
        raise StrongroomError(Reason.ClientTooOld, words)
    able = [client for client in clients if client.major >= max(server.major, wanted.dump_major)]
    place = ContainerPlace(server)
    reach = Reach(
        server=server,
        programs=server,
        restorer=min(able, key=lambda client: client.major) if able else server,
        place=place,
        server_major=major,
        server_version=version,
    )
    with reach.open_entry() as session:
        folder = data_folder(session)
    return ThrowAway(
        reach,
        lambda role: replace(server, user=role),
        lambda: place.free_bytes_of(folder) if folder else None,
        container,
    )
