"""Whether there is room for what a restore makes, and how much there is now."""

import os

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import Artifact

_PER_MEMBER_BYTES = 2048
"""What a file takes up beyond its bytes: half a block on average."""
_MOST_COUNTED = 200_000


def needed_bytes(artifact: Artifact) -> int:
    """Room for the files of an archive. Holes are in neither number, but count in the first; names are in the second."""
    content = (
        artifact.plain_bytes
        if artifact.member_bytes is None
        else min(artifact.member_bytes, artifact.plain_bytes)
    )
    return content + _PER_MEMBER_BYTES * (artifact.member_count or 0)


def free_bytes(path: bytes) -> int:
    """Room that is free to us on the file system of that path, or of what is above it."""
    return _found(path).f_bavail * _found(path).f_frsize


def refuse_lack(what: str, artifact: Artifact, path: bytes) -> None:
    """NotEnoughSpace, with the numbers, unless files of that archive fit in there."""
    needed, found = needed_bytes(artifact), _found(path)
    free = found.f_bavail * found.f_frsize
    if needed > free:
        raise StrongroomError(
            Reason.NotEnoughSpace,
            f"{what}: it takes about {needed} bytes beside what is there, and {free} are free",
        )
    members = artifact.member_count or 0
    if found.f_files and members > found.f_favail:
        raise StrongroomError(
            Reason.NotEnoughSpace, f"{what}: it takes {members} inodes, and {found.f_favail} are free"
        )


def present_bytes(path: bytes) -> int | None:
    """What lies there takes up; None where it would take long to find out."""
    try:
        total, count, waiting = os.lstat(path).st_blocks * 512, 0, [path] if os.path.isdir(path) else []  # noqa: PTH112
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
            if count > _MOST_COUNTED:
                return None
    except OSError:
        return None
    return total


def _found(path: bytes) -> os.statvfs_result:
    while True:
        try:
            return os.statvfs(path)
        except FileNotFoundError:
            path = os.path.dirname(path)  # noqa: PTH120 - names are bytes here
