"""What a restore of files has replaced and kept, removed when its time has come."""

import os

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import Replaced
from strongroom.api.sources import Source
from strongroom.sources.files.restoring.renaming import exists, failing
from strongroom.sources.files.restoring.targets import Surroundings, find_tops, find_work
from strongroom.sources.files.restoring.works import Work


def drop_files(around: Surroundings, source: Source, replaced: Replaced) -> bool:
    """Remove the private folder of the restore with that uid, and only if it is the one that is named; whether it was there."""
    what = f"source {source.name}"
    works, kept_as = _works(around, source, what)
    if replaced.kept_as != kept_as:
        words = f"{what}: {replaced.kept_as} is no name that this restore has made for {replaced.original}"
        raise StrongroomError(Reason.RestoreFailed, words)
    with failing(what):
        was_there = any(exists(work.folder) for work in works)
        for work in works:
            if os.path.isdir(os.path.dirname(work.folder)):  # noqa: PTH112, PTH120 - names are bytes here
                work.remove()
    return was_there


def _works(around: Surroundings, source: Source, what: str) -> tuple[list[Work], str]:
    if source.files is not None:
        work, kept_as = find_work(around, source.name, source.files)
        return [work], kept_as
    if source.config is not None:
        tops, kept_as = find_tops(around, source.name, source.config)
        return [top.work for top in tops], kept_as
    raise StrongroomError(Reason.TargetMissing, f"{what} is no tree of files any more: drop it by hand")
