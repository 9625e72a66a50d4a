"""What a machine lets Jobs do on it: decided where its agent is started, and never through the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from strongroom import __version__

OWN_IMAGE = f"strongroom:{__version__}"
STORE_PLACES = ("/var/backups", "/backups", "/srv/backups", "/mnt", "/media")
DRILL_IMAGES = tuple(f"{registry}postgres:*" for registry in ("", "library/", "docker.io/library/"))
"""The official images of PostgreSQL, by all names that the Engine knows them by."""


@dataclass(frozen=True)
class Allowances:
    """Patterns as in a shell (`*`, `?`, `[…]`). A path pattern allows what lies below it, too."""

    images: tuple[str, ...] = (OWN_IMAGE,)
    """Images that workers may be started from, when they run in containers."""
    stores: tuple[str, ...] = STORE_PLACES
    """Folders that local stores may be in."""
    buckets: tuple[str, ...] = ("*",)
    """Buckets that may be written to, `server:port/bucket` or `aws/bucket`. With the host's own credentials: only those
    that another pattern than `*` means."""
    servers: tuple[str, ...] = ("*",)
    """Folders on SSH servers that may be written to, `server:port/folder`; always with credentials from a Secret."""
    paths: tuple[str, ...] = ()
    """Files and folders of the host that may be read, besides the working folder of a compose project for its own configuration."""
    volumes: tuple[str, ...] = ("*",)
    """Named volumes that may be read."""
    containers: tuple[str, ...] = ("*",)
    """Containers that may be dumped, stopped, paused and given commands: `project/service`, or the container's name."""
    root_containers: tuple[str, ...] = ()
    """Of those, containers that are as good as root on the host and in which programs may be run all the same."""
    restore_paths: tuple[str, ...] = ()
    """Files and folders of the host that a restore may replace or make."""
    restore_volumes: tuple[str, ...] = ("*",)
    """Of the named volumes that may be read, those that a restore may write to."""
    urls: tuple[str, ...] = ()
    """Servers that a health check may fetch from besides the machine itself and its containers: `https://shop.example:8443`."""
    drill_images: tuple[str, ...] = DRILL_IMAGES
    """Images that a drill may start a throw-away container from, besides those that containers of this machine are made from."""


def matches(value: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns means the name."""
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def matches_path(path: PurePosixPath, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns means the path or a folder above it. All must be resolved: links and `..` are not looked through."""
    return any(_is_below(path.parts, PurePosixPath(pattern).parts) for pattern in patterns)


def _is_below(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if len(parts) < len(pattern) or not pattern or ".." in parts:
        return False
    return all(fnmatchcase(part, wanted) for part, wanted in zip(parts, pattern, strict=False))
