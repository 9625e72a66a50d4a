"""`strongroom artifacts`: which recovery points there are, and how each opens without Strongroom."""

from datetime import UTC, datetime
from pathlib import Path

import click

from strongroom.api.errors import StrongroomError
from strongroom.api.fields import format_time
from strongroom.api.resources import BackupRun, parse_run, parse_store
from strongroom.api.result import Artifact
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.contents import describe_contents
from strongroom.cli.openings import opening_in_store
from strongroom.cli.quantities import ago, human_bytes
from strongroom.cli.screens import build_table, open_console
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import RUNS, STORES

_READ_BACK = {"Plain": "yes", "Stored": "yes, as encrypted bytes (no private key at hand)"}


@click.group
def artifacts() -> None:
    """List recovery points, and show how to open one with stock tools.

    \b
    Examples:
      strongroom artifacts list
      strongroom artifacts list --policy shop
      strongroom artifacts show shop-20261122020000-1a2b3c
    """


@artifacts.command("list")
@cluster_options
@click.option("--policy", help="Only this policy's.")
def list_(kubeconfig: Path | None, namespace: str, policy: str | None) -> None:
    """List the recovery points that the stores hold, newest first."""
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
        good = [copy.store for copy in run.status.copies if copy.state == "Succeeded"]
        table.add_row(
            run.meta.name, run.spec.policy, run.status.phase, ago(run.status.completion_time, now), human_bytes(run.status.size_bytes),
            str(len(run.status.artifacts)), ", ".join(good), "yes" if run.spec.hold else "",
        )  # fmt: skip
    open_console().print(table)


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
