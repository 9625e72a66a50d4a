"""Which recovery point is meant: by a run that the API knows, or by what a store holds."""

import re

import click

from strongroom.api.fields import format_time
from strongroom.api.resources import BackupRun
from strongroom.stores.store import Store
from strongroom.worker.points import list_points


def find_point(run: BackupRun) -> str:
    """The folder of its artifacts, relative to a store's. ClickException where there is nothing, or no longer anything, to open."""
    status = run.status
    if not status.artifacts or status.recovery_point is None:
        raise click.ClickException(
            f"BackupRun {run.meta.name} is {status.phase} and has no artifacts: {status.message or ''}"
        )
    if status.pruned_time is not None:
        raise click.ClickException(
            f"BackupRun {run.meta.name}: retention deleted its artifacts at {format_time(status.pruned_time)}; "
            "see `strongroom artifacts list` for what there is"
        )
    return status.recovery_point


def search_point(store: Store, name: str) -> str:
    """The recovery point in a store that `name` means: a run, or the whole prefix. ClickException unless it is exactly one."""
    points = list(list_points(store))
    # An attempt beyond the first has its number at the end.
    patterns = (
        re.escape(name),
        rf".*/\d{{8}}T\d{{6}}Z-{re.escape(name)}",
        rf".*/\d{{8}}T\d{{6}}Z-{re.escape(name)}\.\d+",
    )
    found = next(filter(None, ([p for p in points if re.fullmatch(each, p)] for each in patterns)), [])
    if len(found) == 1:
        return found[0]
    if not found:
        raise click.ClickException(
            f"the store holds no recovery point of run {name}; see `strongroom artifacts list`"
        )
    raise click.ClickException(f"{name} is in the store {len(found)} times; give one of: {', '.join(found)}")
