"""From a source's fields to its readings: over the network, or inside one container or all that a label names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.sources import PostgresSource
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container, find_container, match_labelled
from strongroom.engine.execs import build_marker
from strongroom.sources.filenames import encode_name
from strongroom.sources.postgres.clients import Client, choose_client
from strongroom.sources.postgres.connection import SecretReader, prepare_connection, read_password
from strongroom.sources.postgres.facts import read_server
from strongroom.sources.postgres.incontainer import ContainerServer, Inside, Login, look_inside
from strongroom.sources.postgres.network import HostPrograms, NetworkServer
from strongroom.sources.postgres.readings import Access, build_readings
from strongroom.sources.reading import Reading


@dataclass(frozen=True)
class Owner:
    """Whose source it is: labels name the policy, programs inside containers bear the run."""

    namespace: str
    policy: str
    run_uid: str


def plan_network(
    source: str,
    postgres: PostgresSource,
    *,
    read_secret: SecretReader,
    scratch: Path,
    clients: Iterable[Client],
    takes_what_is_there: bool = False,
) -> list[Reading]:
    """Connect, look, and say what is to be read; everything that can be refused beforehand is.

    `takes_what_is_there`: see `read_server`. Raises what `prepare_connection`, `read_server` and `choose_client` raise.
    """
    connection = prepare_connection(source, postgres, read_secret, scratch)
    server = NetworkServer(connection)
    facts = read_server(server, postgres, postgres.databases, takes_what_is_there=takes_what_is_there)
    client = choose_client(clients, facts.major, source)
    access = Access(server, HostPrograms(client, connection), client, stem=source)
    return build_readings(access, postgres, facts)


def plan_containers(
    source: str,
    postgres: PostgresSource,
    *,
    read_secret: SecretReader,
    engine: Engine,
    owner: Owner,
    clients: Sequence[Client],
    takes_what_is_there: bool = False,
) -> list[Reading]:
    """The same for servers in containers of this host.

    Raises what `find_container`, `look_inside` and `read_server` raise; ContainerNotFound when no container bears the label.
    """
    password = read_password(source, postgres, read_secret)
    login = Login(postgres.user, postgres.port, password, postgres.password_secret)
    readings: list[Reading] = []
    for container in find_containers(source, postgres, engine, owner):
        inside = Inside(engine, container, source, build_marker(owner.run_uid))
        server = look_inside(inside, login)
        readings += _plan_inside(server, postgres, clients, takes_what_is_there=takes_what_is_there)
    return readings


def find_containers(source: str, postgres: PostgresSource, engine: Engine, owner: Owner) -> list[Container]:
    """The containers that the source means, all running. Raises ContainerNotFound, ContainerAmbiguous, EngineUnreachable."""
    if postgres.container is not None:
        return [find_container(engine, postgres.container, f"source {source}: postgres.container")]
    found = match_labelled(engine, owner.namespace, owner.policy)
    if not found:
        raise StrongroomError(
            Reason.ContainerNotFound,
            f"source {source}: no container of this host has the label strongroom.dev/policy={owner.policy} or "
            f"={owner.namespace}/{owner.policy} (postgres.labelled)",
        )
    idle = [f"{each.name} is {each.state}" for each in found if each.state != "running"]
    if idle:
        raise StrongroomError(
            Reason.ContainerNotFound,
            f"source {source}: of the labelled containers {', '.join(idle)} (postgres.labelled)",
        )
    return found


def _plan_inside(
    server: ContainerServer, postgres: PostgresSource, clients: Sequence[Client], *, takes_what_is_there: bool
) -> list[Reading]:
    wanted = postgres.databases
    if not wanted and not postgres.all_databases:
        wanted = [server.default_database]
    facts = read_server(server, postgres, wanted, takes_what_is_there=takes_what_is_there)
    able = [client for client in clients if client.major >= server.major]
    # A pg_restore of this machine saves the way of every byte back into the container.
    restorer = min(able, key=lambda client: client.major) if able else server
    name = server.inside.container.name if postgres.labelled else None
    stem = server.source if name is None else f"{server.source}.{encode_name(name)}"
    return build_readings(Access(server, server, restorer, stem, name), postgres, facts)
