"""Throw-away servers of a drill in a cluster: containers of the image that the policy names, in the worker's own pod.

They are reached by a socket in a folder that both share, and by nothing else. A container ends when its worker does: that holds a lock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from strongroom.api.jobsettings import JobSettings
from strongroom.api.labels import USERS_ANNOTATION
from strongroom.api.workorder import WorkOrder

Body = dict[str, Any]
PLACE = "/strongroom/drill"
USERS = "root:x:0:0:root:/root:/bin/sh\npostgres:x:{user}:{user}::/tmp:/bin/sh\n"
"""The pod's user has no name in the image, and a server is made for nobody without one."""
_SHARED_SHARE = 4
_MOST_SHARED_BYTES = 1 << 30
THROW_AWAY_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "log_min_error_statement": "panic",
}
"""Of a server whose data nobody wants back, and whose log must hold no rows."""
_SETTINGS = {
    "listen_addresses": "",
    **THROW_AWAY_SETTINGS,
    # A pod's /dev/shm holds 64 MiB.
    "dynamic_shared_memory_type": "mmap",
}
# $1: the folder. The worker locks the file `lock` and then makes `begun`; it is waited for for ten minutes. Whatever the server says
# at its end, the worker's exit code alone is the pod's.
_SCRIPT = """
folder=$1; shift
docker-entrypoint.sh postgres "$@" & server=$!
left=600
while [ ! -e "$folder/begun" ] && [ "$left" -gt 0 ] && kill -0 "$server" 2>/dev/null; do sleep 1; left=$((left - 1)); done
[ ! -e "$folder/begun" ] || flock "$folder/lock" true
kill -INT "$server" 2>/dev/null
wait "$server"
exit 0
"""


@dataclass(frozen=True)
class DrillServer:
    """One of them, with its volumes."""

    container: Body
    volumes: list[Body]
    mount: Body
    """The folder, for the worker."""


def build_servers(order: WorkOrder, settings: JobSettings, security: Body) -> Iterator[DrillServer]:
    """One for each source that is drilled and has databases; none where no image is named."""
    drill = order.drill
    if drill is None or drill.image is None:
        return
    wanted = drill.choice.sources
    sources = [each.name for each in drill.targets if each.postgres is not None]
    for index, name in enumerate(each for each in sources if not wanted or each in wanted):
        yield _build(index, name, order, settings, security)


def _build(index: int, name: str, order: WorkOrder, settings: JobSettings, security: Body) -> DrillServer:
    assert order.drill is not None  # noqa: S101 - asked before
    folder, memory = f"{PLACE}/{name}", order.drill.memory_bytes
    shared = max(16 << 20, min(memory // _SHARED_SHARE, _MOST_SHARED_BYTES))
    options = {**_SETTINGS, "unix_socket_directories": folder, "shared_buffers": f"{shared >> 10}kB"}
    data, scratch = f"drill-{index}", f"drill-scratch-{index}"
    size = {} if settings.scratch_size is None else {"sizeLimit": settings.scratch_size}
    mount = {"name": data, "mountPath": folder}
    # Where the image's own scripts write: sockets of a first start, and temporary files.
    others = [
        {"name": scratch, "mountPath": path, "subPath": path.rpartition("/")[2]}
        for path in ("/tmp", "/var/run/postgresql")  # noqa: S108 - of the image
    ]
    users = {"name": "users", "mountPath": "/etc/passwd", "subPath": "passwd", "readOnly": True}
    container: Body = {
        "name": f"postgres-{index}",
        "image": order.drill.image,
        "command": ["sh", "-c", _SCRIPT, "drill", folder],
        "args": [word for key, value in options.items() for word in ("-c", f"{key}={value}")],
        "env": [
            {"name": "POSTGRES_HOST_AUTH_METHOD", "value": "trust"},
            {"name": "POSTGRES_USER", "value": "postgres"},
            {"name": "POSTGRES_DB", "value": "postgres"},
            {"name": "PGDATA", "value": f"{folder}/data"},
        ],
        "volumeMounts": [mount, *others, *([] if settings.run_as_root else [users])],
        "resources": {"requests": {"memory": str(min(memory, 256 << 20))}, "limits": {"memory": str(memory)}},
        "securityContext": security,
    }
    if settings.image_pull_policy is not None:
        container["imagePullPolicy"] = settings.image_pull_policy
    volumes = [{"name": data, "emptyDir": size}, {"name": scratch, "emptyDir": {"sizeLimit": "64Mi"}}]
    return DrillServer(container, volumes, mount)


def build_users() -> Body:
    """The volume with the names of users."""
    item = {"path": "passwd", "fieldRef": {"fieldPath": f"metadata.annotations['{USERS_ANNOTATION}']"}}
    return {"name": "users", "downwardAPI": {"items": [item]}}
