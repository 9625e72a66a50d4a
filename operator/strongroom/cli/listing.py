"""What one store holds, asked of itself: for those who have nothing but the store."""

from datetime import UTC, datetime

import click

from strongroom.api.errors import StrongroomError
from strongroom.cli.quantities import ago, human_bytes
from strongroom.cli.screens import build_table, open_console
from strongroom.stores.store import Store
from strongroom.worker.points import list_points, read_point
from strongroom.worker.signatures import Trust


def list_store(store: Store, policy: str | None) -> None:
    """Print its recovery points, newest first, all namespaces."""
    table = build_table("Run", "Recovery point", "Outcome", "Made", "Size", "Files", "Complete", names=2)
    found = []
    for prefix in list_points(store):
        try:
            point = read_point(store, prefix, Trust())
        except StrongroomError as error:
            click.echo(f"skipped: {error}", err=True)
            continue
        if policy in (None, point.manifest.policy):
            found.append(point)
    if not found:
        click.echo("No recovery points.")
        return
    now = datetime.now(UTC)
    for point in sorted(found, key=lambda each: each.manifest.finished_at, reverse=True):
        manifest = point.manifest
        table.add_row(
            manifest.run, point.prefix, manifest.outcome, ago(manifest.finished_at, now), human_bytes(manifest.stored_bytes),
            str(len(manifest.files)), "yes" if point.complete else "NO",
        )  # fmt: skip
    open_console().print(table)
