"""Files and configuration: unpacked into scratch, compared with the manifest, and removed."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.api.restoring import CheckResult
from strongroom.sources.files.restoring.rooms import refuse_lack
from strongroom.sources.files.restoring.trees import wanted_of
from strongroom.sources.files.unpacking.intake import Unpacking
from strongroom.sources.reading import Chunk
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.restoring.steps import Steps
from strongroom.worker.task import Task


def drill_tree(task: Task, shelf: Shelf, file: ManifestFile, steps: Steps) -> Sequence[CheckResult]:
    """What was compared. Raises NotEnoughSpace, ArchiveRefused, RestoreFailed, and what reading a copy raises."""
    artifact = file.artifact
    folder = os.fsencode(Path(os.path.realpath(task.scratch)) / f"tree-{artifact.source}")
    intake: _Intake | None = None

    def prepare() -> _Intake:
        nonlocal intake
        intake = _Intake(folder, file)
        return intake

    shelf.read_into(
        file,
        prepare,
        fetching=lambda: steps.step("Fetch", artifact.source),
        restoring=lambda: steps.step("Restore", artifact.source),
    )
    return () if intake is None else intake.checks


class _Intake:
    """See Intake. Nothing is kept."""

    takes_effect_early = False

    def __init__(self, folder: bytes, file: ManifestFile) -> None:
        self._what = f"source {file.artifact.source}"
        self.checks: Sequence[CheckResult] = ()
        with _failing(self._what):
            refuse_lack(self._what, file.artifact, folder)
            self._unpacking = Unpacking(folder, wanted_of(file.artifact, self._what))

    def write(self, chunk: Chunk) -> None:
        with _failing(self._what):
            self._unpacking.write(chunk)

    def finish(self) -> None:
        with _failing(self._what):
            self._unpacking.finish()
            self.checks = self._unpacking.checks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with _failing(self._what):
            self._unpacking.__exit__(*error)


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """What the system refuses in scratch is not the backup's fault."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        reason = Reason.NotEnoughSpace if is_full else Reason.DrillCouldNotRun
        raise StrongroomError(reason, f"{what}: it cannot be unpacked here: {error}") from error
