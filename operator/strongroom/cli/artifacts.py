"""`strongroom artifacts`: which recovery points there are, and how each opens without Strongroom."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from strongroom.api.errors import StrongroomError
from strongroom.api.fields import format_time
from strongroom.api.resources import BackupRun, parse_run, parse_store
from strongroom.api.result import Artifact
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.contents import describe_contents
from strongroom.cli.fetch import fetch, store_options
from strongroom.cli.listing import list_store
from strongroom.cli.openings import opening_in_store
from strongroom.cli.points import find_point
from strongroom.cli.quantities import ago, human_bytes
from strongroom.cli.screens import build_table, open_console
from strongroom.cli.stored import offline_copies, opened
from strongroom.cli.verify import verify
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import RUNS, STORES

_READ_BACK = {"Plain": "yes", "Stored": "yes, as encrypted bytes (no private key at hand)"}


@click.group
def artifacts() -> None:
    """List recovery points, show how one opens with stock tools, fetch it, and read its copies back.

    \b
    Examples:
      strongroom artifacts list --policy shop
      strongroom artifacts show shop-20261122t0200z-1a2b3c4d
      strongroom artifacts fetch shop-20261122t0200z-1a2b3c4d --plain --decrypt-with key.txt
      strongroom artifacts verify shop-20261122t0200z-1a2b3c4d
    """


artifacts.add_command(fetch)
artifacts.add_command(verify)


@artifacts.command("list")
@cluster_options
@click.option("--policy", help="Only this policy's.")
@store_options
def list_(kubeconfig: Path | None, namespace: str, policy: str | None, **options: Any) -> None:
    """List the recovery points that the stores hold, newest first.

    \b
    Examples:
      strongroom artifacts list --policy shop
      strongroom artifacts list --store-path /mnt/disk      # without any control plane, all namespaces
    """
    copies = offline_copies(options["store_path"], options["store_file"])
    if copies is not None:
        with opened(copies, options["secrets"], None) as reading:
            list_store(next(iter(reading.stores.values())), policy)
        return
    runs = [
        run
        for run in ask(kubeconfig, lambda client: _runs(client, namespace))
        if policy in (None, run.spec.policy)
    ]
    if not runs:
        click.echo("No recovery points.")
        return
    now = datetime.now(UTC)
    table = build_table("Run", "Policy", "Phase", "Made", "Size", "Files", "Stores", "Hold", names=2)
    for run in runs:
        table.add_row(
            run.meta.name, run.spec.policy, run.status.phase, ago(run.status.completion_time, now), human_bytes(run.status.size_bytes),
            str(len(run.status.artifacts)), _holders(run), "yes" if run.spec.hold else "",
        )  # fmt: skip
    open_console().print(table)


def _holders(run: BackupRun) -> str:
    """The stores with a good copy; in brackets those without, and why."""
    good = [copy.store for copy in run.status.copies if copy.state == "Succeeded"]
    bad = [
        f"{copy.store}: {copy.reason or copy.state}"
        for copy in run.status.copies
        if copy.state != "Succeeded"
    ]
    return ", ".join(good) + (f" ({', '.join(bad)})" if bad else "")


@artifacts.command("show")
@click.argument("run")
@cluster_options
def show(run: str, kubeconfig: Path | None, namespace: str) -> None:
    """Show the files of one recovery point, their proofs, and the commands that open them."""
    ask(kubeconfig, lambda client: _show(client, namespace, run))


async def _runs(client: KubeClient, namespace: str) -> list[BackupRun]:
    runs = []
    for body in (await client.list(RUNS, namespace)).items:
        try:
            run = parse_run(body)
        except StrongroomError as error:
            click.echo(f"skipped: {error}", err=True)
            continue
        if run.status.recovery_point and run.status.pruned_time is None and run.status.artifacts:
            runs.append(run)
    return sorted(
        runs, key=lambda run: run.status.start_time or datetime.min.replace(tzinfo=UTC), reverse=True
    )


async def _show(client: KubeClient, namespace: str, name: str) -> None:
    body = await client.get(RUNS, namespace, name)
    if body is None:
        raise click.ClickException(
            f"no BackupRun {name} in namespace {namespace}; see `strongroom artifacts list`"
        )
    run = parse_run(body)
    point = find_point(run)
    click.echo(f"{run.meta.name}  policy {run.spec.policy}  {run.status.phase}  {point}")
    for artifact in run.status.artifacts:
        _describe(artifact)
    for copy in run.status.copies:
        store_body = await client.get(STORES, namespace, copy.store)
        click.echo(f"\nIn store {copy.store} ({copy.state}):")
        if store_body is None:
            click.echo("  the BackupStore no longer exists; its data is where it was")
            continue
        if copy.state != "Succeeded":
            click.echo(f"  {copy.message or copy.reason}")
            continue
        spec = parse_store(store_body).spec
        for artifact in run.status.artifacts:
            click.echo(f"  {opening_in_store(spec, point, artifact)}")


def _describe(artifact: Artifact) -> None:
    proof = artifact.verification
    click.echo(
        f"  {artifact.file}  {human_bytes(artifact.stored_bytes)} (plain {human_bytes(artifact.plain_bytes)})"
    )
    click.echo(f"    sha256 {artifact.stored_sha256}")
    versions = (
        f", server {artifact.server_version}, pg_dump {artifact.client_version}"
        if artifact.table_count is not None
        else ""
    )
    if contents := describe_contents(artifact):
        click.echo(f"    {contents}{versions}")
    if artifact.changed_count or artifact.skipped_count:
        click.echo(
            f"    {artifact.changed_count} changed while they were read, {artifact.skipped_count} sockets and devices left out; the manifest names them"
        )
    if artifact.encryption is not None:
        click.echo(f"    encrypted with {artifact.encryption}")
    click.echo(
        f"    verified {proof.level} at {format_time(proof.time)}, read back: {_READ_BACK[proof.read_back_to] if proof.read_back else 'no'}"
        if proof
        else "    not verified"
    )
