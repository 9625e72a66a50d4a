"""Containers of applications in drills: they share the throw-away server's loopback, and reach nothing else. Built from the order alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from strongroom.api.drills import DrillApplication, parse_memory
from strongroom.api.labels import DRILL_LABEL
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.drillcontainers import (
    SERVER_ADDRESS,
    SERVER_PORT,
    DrillContainer,
    confinement,
    start_throw_away,
)

APPLICATION_ROLE = "strongroom_application"
"""Role that it logs in as where the policy names none."""
_PASSWORD = "drill"  # noqa: S105  the server takes any
_PROCESSES = 512
_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"]
"""What entry points of usual images need to become another user."""


@dataclass(frozen=True)
class ApplicationContainer:
    """A container to be made; `server` is the name of the one whose network it has."""

    name: str
    server: str
    image: str
    run_uid: str
    memory_bytes: int
    command: Sequence[str]
    environment: Sequence[str]


def application_container(server: DrillContainer, application: DrillApplication) -> ApplicationContainer:
    """The one beside that server. Pure."""
    return ApplicationContainer(
        name=f"{server.name}-app",
        server=server.name,
        image=application.image,
        run_uid=server.run_uid,
        memory_bytes=parse_memory(application.memory),
        command=application.command,
        environment=_environment(application),
    )


def role_of(application: DrillApplication) -> str:
    """Whom it logs in as."""
    return application.user or APPLICATION_ROLE


def build_application_config(wanted: ApplicationContainer) -> dict[str, Any]:
    """The body of the Engine's request (ContainerCreate of its API). Nothing in it is secret."""
    command: Mapping[str, Any] = {"Cmd": list(wanted.command)} if wanted.command else {}
    return {
        "Image": wanted.image,
        **command,
        "Env": list(wanted.environment),
        "Labels": {DRILL_LABEL: wanted.run_uid},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": f"container:{wanted.server}",
            **confinement(_CAPABILITIES, wanted.memory_bytes, _PROCESSES),
        },
    }


def start_application_container(engine: Engine, wanted: ApplicationContainer) -> Container:
    """Make and start it, after ending one that another attempt has left. ImageMissing, EngineUnreachable."""
    return start_throw_away(engine, wanted.name, build_application_config(wanted))


def _environment(application: DrillApplication) -> list[str]:
    """The server's address by the names that libpq and most frameworks know; what the policy says goes before."""
    role, database = role_of(application), application.database or ""
    address = f"{SERVER_ADDRESS}:{SERVER_PORT}"
    known = {
        "PGHOST": SERVER_ADDRESS,
        "PGPORT": str(SERVER_PORT),
        "PGUSER": role,
        "PGPASSWORD": _PASSWORD,
        "PGDATABASE": database,
        "DATABASE_URL": f"postgresql://{quote(role, safe='')}:{_PASSWORD}@{address}/{quote(database, safe='')}",
    }
    said = dict(each.split("=", 1) for each in application.environment)
    return [f"{name}={value}" for name, value in (known | said).items()]
