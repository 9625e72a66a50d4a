"""Where the host's files are for this worker: at their own paths, or where a container has them mounted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from strongroom.api.errors import Reason, StrongroomError


@dataclass(frozen=True)
class Places:
    """Volumes by name and paths of the host by path, each with the place where the worker sees it.

    `is_isolated`: nothing else of the host is seen.
    """

    volumes: Mapping[str, str]
    paths: Mapping[str, str]
    is_isolated: bool = True
    claims: Path | None = None
    """Where a cluster mounts claims, each by its name."""

    def of_volume(self, name: str) -> str | None:
        """The volume's place; None where the Engine must be asked for it."""
        place = self.volumes.get(name)
        if place is None and self.is_isolated:
            raise StrongroomError(Reason.InvalidOrder, f"volume {name} is not mounted for this worker")
        return place

    def of_claim(self, name: str) -> str:
        """The place of a PersistentVolumeClaim: only a cluster's pods have one."""
        if self.claims is None or not (self.claims / name).is_dir():
            raise StrongroomError(Reason.InvalidOrder, f"claim {name} is not mounted for this worker")
        return str(self.claims / name)

    def of_path(self, path: str) -> str:
        """The place of a path of the host, or of what lies below one that is mounted."""
        wanted = PurePosixPath(path)
        for known in (wanted, *wanted.parents):
            if (place := self.paths.get(str(known))) is not None:
                return str(PurePosixPath(place) / wanted.relative_to(known))
        if self.is_isolated:
            raise StrongroomError(Reason.InvalidOrder, f"{path} is not mounted for this worker")
        return path


HOST = Places({}, {}, is_isolated=False)
"""The worker is a process of the host."""


def read_places(file: Path | None, claims: Path | None = None) -> Places:
    """What the file says: `{"volumes": {name: place}, "paths": {path: place}}`; without one everything is at its own path.

    In a cluster's pod nothing is there but `claims`.

    InvalidOrder when it cannot be understood.
    """
    if claims is not None:
        return Places({}, {}, claims=claims)
    if file is None:
        return HOST
    try:
        said = json.loads(file.read_bytes())
        return Places(volumes=dict(said.get("volumes", {})), paths=dict(said.get("paths", {})))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StrongroomError(Reason.InvalidOrder, f"the list of mounts cannot be read: {error}") from error
