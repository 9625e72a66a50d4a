"""Writing small files that survive a power cut whole or not at all."""

import os
import subprocess
from pathlib import Path

from strongroom.api.errors import excerpt

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def write_durably(path: Path, content: bytes) -> None:
    """Replace the file atomically, readable by us only. Blocks for two fsyncs."""
    temporary = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder that only we may enter, and its parents, unless it is there."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        sync_folder(path.parent)


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it; one that is gone is removed. Raises OSError when something is left.

    By rm, which has no limit of depth: a worker in a container may have made more folders in folders than recursion can follow.
    """
    done = subprocess.run(
        ["rm", "-rf", "--", path], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        raise OSError(f"{path} cannot be removed: {excerpt(done.stderr.decode(errors='replace'))}")


def sync_folder(path: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
