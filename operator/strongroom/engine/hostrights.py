"""Why a program in a container is as good as one by root on its host: what the Engine lets it do, and what of the host it has. Pure."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

_MIGHTY_CAPABILITIES = {"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"}
_HOST_PLACES = frozenset(
    [
        "/",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/lib",
        "/lib64",
        "/opt",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/sys",
        "/usr",
        "/var",
        "/var/lib",
        "/var/run",
    ]
)
"""To have one of them is to have the host, or what all its services keep."""
_SYSTEM_PLACES = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/root",
    "/run/containerd",
    "/run/dbus",
    "/run/docker",
    "/run/systemd",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/systemd",
    "/var/spool/cron",
)
"""Whoever writes below them decides what the host runs."""
_HARMLESS = (
    "/dev/log",
    "/dev/null",
    "/dev/random",
    "/dev/shm",  # noqa: S108  a place of the host
    "/dev/urandom",
    "/etc/localtime",
    "/etc/timezone",
    "/run/systemd/journal",
    "/usr/share/zoneinfo",
)
_ENGINE_PLACE = PurePosixPath("/var/lib/docker")
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock")


def find_right(host: Mapping[str, Any]) -> str | None:
    """The reason in a container's HostConfig, if there is one."""
    if host.get("Privileged"):
        return "it is privileged"
    if host.get("PidMode") == "host":
        return "it sees the host's processes"
    if host.get("Devices") or host.get("DeviceCgroupRules"):
        return "it has devices of the host"
    if host.get("ReadonlyPaths") == []:
        return "it writes to the host's /proc (systempaths=unconfined)"
    added = {str(name).upper().removeprefix("CAP_") for name in host.get("CapAdd") or []}
    if mighty := sorted(added & _MIGHTY_CAPABILITIES):
        return f"it has the capability {mighty[0]}"
    return None


def find_opening(places: Iterable[tuple[str, bool]], engine_socket: str | None = None) -> str | None:
    """The reason in what it has of the host's file system, if there is one: pairs of a path and whether it is writable.

    A socket works through a mount that is read-only, too.
    """
    for place, is_writable in places:
        path = PurePosixPath(place)
        has_socket = engine_socket is not None and PurePosixPath(engine_socket).is_relative_to(path)
        if has_socket or opens_the_host(path) or (is_writable and _decides_what_runs(path)):
            return f"it has {path} of the host"
    return None


def opens_the_host(path: PurePosixPath) -> bool:
    """Whether a place is the host, its Engine, or what all its services keep."""
    return str(path) in _HOST_PLACES or path.name in _SOCKETS or path.is_relative_to(_ENGINE_PLACE)


def _decides_what_runs(path: PurePosixPath) -> bool:
    def is_below(places: Iterable[str]) -> bool:
        return any(path.is_relative_to(place) for place in places)

    return is_below(_SYSTEM_PLACES) and not is_below(_HARMLESS)
