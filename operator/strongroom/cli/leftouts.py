"""Which volumes are files to back up, and what of a host is left out of the proposals, with the reason."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from strongroom.api.errors import excerpt
from strongroom.engine.stacks import ServiceFacts, Stack, Stacks

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_OTHER_SERVERS = re.compile(
    r"(^|[/_-])(mysql|mariadb|percona|mongo|redis|valkey|elasticsearch|opensearch|influxdb|clickhouse|cassandra|rabbitmq|kafka|etcd)",
)
"""Images of servers whose files, copied while they run, are no backup."""
_POSTGRES_FOLDER = "/var/lib/postgresql"
"""Where the official image keeps its data."""


def find_files(stack: Stack) -> list[str]:
    """Named volumes of a project that hold plain files, as far as the images of their services tell."""
    served = {volume for service in stack.services if _keeps_data(service) for volume in _volumes(service)}
    return sorted(volume for volume in _all_volumes(stack) - served if not _ANONYMOUS.fullmatch(volume))


def find_left_out(stacks: Stacks) -> list[str]:
    """Everything that was seen and that no policy is proposed for."""
    return [line for stack in stacks.projects for line in _of_stack(stack)]


def _of_stack(stack: Stack) -> Iterator[str]:
    for service in stack.services:
        if _is_other_server(service):
            what = f"{stack.name}/{service.name} ({excerpt(service.image, 80)})"
            yield f"{what}: its files, copied while it runs, are no backup; dump it with its own tool into a volume (hooks)"
        elif service.is_postgres:
            yield from _beside_data(stack, service)
    for volume in sorted(volume for volume in _all_volumes(stack) if _ANONYMOUS.fullmatch(volume)):
        yield f"{stack.name}: volume {volume[:12]}… has no name that outlives its container"
    if stack.folder is None:
        yield f"{stack.name}: its containers do not tell the project's folder: no policy for its configuration"
    for path, service_name in _binds(stack):
        yield (
            f"{stack.name}/{service_name} mounts {excerpt(path)}: for a backup name it in a source `files: {{path: …}}` "
            "and allow it where the host's agent is started (--allow-path)"
        )


def _beside_data(stack: Stack, service: ServiceFacts) -> Iterator[str]:
    """Volumes of a database's container that may be something else than its data folder."""
    for mount in service.mounts:
        if mount.kind == "volume" and not mount.destination.startswith(_POSTGRES_FOLDER):
            yield (
                f"{stack.name}/{service.name} mounts volume {excerpt(mount.source, 80)} at {excerpt(mount.destination)}: "
                "taken for the server's own data, which is dumped and not copied"
            )


def _keeps_data(service: ServiceFacts) -> bool:
    return service.is_postgres or _is_other_server(service)


def _is_other_server(service: ServiceFacts) -> bool:
    return not service.is_postgres and _OTHER_SERVERS.search(service.image.lower()) is not None


def _volumes(service: ServiceFacts) -> set[str]:
    return {mount.source for mount in service.mounts if mount.kind == "volume"}


def _all_volumes(stack: Stack) -> set[str]:
    return set(stack.volumes).union(*(_volumes(service) for service in stack.services))


def _binds(stack: Stack) -> list[tuple[str, str]]:
    """Pieces of the host's file system that services mount from outside of the project's folder."""
    found = {
        (mount.source, service.name)
        for service in stack.services
        for mount in service.mounts
        if mount.kind == "bind" and not _is_inside(mount.source, stack.folder)
    }
    return sorted(found)


def _is_inside(path: str, folder: str | None) -> bool:
    return folder is not None and PurePosixPath(path).is_relative_to(folder)
