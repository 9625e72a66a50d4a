"""`strongroom backup POLICY`: a backup now, watched to its end."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from strongroom.api.backuprun import TERMINAL_PHASES
from strongroom.api.group import API_VERSION
from strongroom.api.kinds import BACKUP_RUN
from strongroom.api.labels import POLICY_LABEL
from strongroom.api.resources import BackupRun, parse_run
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.contents import describe_contents
from strongroom.cli.quantities import human_bytes
from strongroom.kube.client import KubeClient, Object
from strongroom.kube.errors import Unavailable
from strongroom.kube.kinds import POLICIES, RUNS

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 120.0


@click.command
@click.argument("policy")
@cluster_options
@click.option("--wait/--no-wait", default=False, help="Show the progress and exit with the run's outcome.")
@click.option("--hold", is_flag=True, help="Pin the backup: retention never deletes it.")
def backup(policy: str, kubeconfig: Path | None, namespace: str, wait: bool, hold: bool) -> None:
    """Back up POLICY now, whatever its schedule says.

    \b
    Examples:
      strongroom backup shop --wait
      strongroom backup shop --hold   # before an upgrade
    """
    name = ask(kubeconfig, lambda client: _create(client, namespace, policy, hold=hold))
    click.echo(f"backuprun.strongroom.dev/{name} created")
    if not wait:
        click.echo(f"Watch it: kubectl get backuprun {name} -n {namespace} -w")
        return
    run = ask(kubeconfig, lambda client: _watch(client, namespace, name))
    _report(run)
    sys.exit(0 if run.status.phase == "Succeeded" else 1)


async def _create(client: KubeClient, namespace: str, policy: str, *, hold: bool) -> str:
    if await client.get(POLICIES, namespace, policy) is None:
        names = sorted(body["metadata"]["name"] for body in (await client.list(POLICIES, namespace)).items)
        there = f"there are: {', '.join(names)}" if names else "there are none"
        raise click.ClickException(f"no BackupPolicy {policy} in namespace {namespace}; {there}")
    body: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": BACKUP_RUN.kind,
        "metadata": {"generateName": f"{policy[:50]}-manual-", "labels": {POLICY_LABEL: policy}},
        "spec": {"policy": policy, "reason": "Manual", "hold": hold},
    }
    created = await client.create(RUNS, namespace, body)
    return str(created["metadata"]["name"])


class _Speed(TransferSpeedColumn):
    """Bytes a second; nothing, not a question mark, while it is unknown."""

    def render(self, task: Task) -> Text:
        known = task.finished_speed or task.speed
        return super().render(task) if known else Text("")


async def _watch(client: KubeClient, namespace: str, name: str) -> BackupRun:
    bars = Progress(
        TextColumn("{task.description:<22}"), BarColumn(), DownloadColumn(binary_units=True), _Speed(),
        TimeElapsedColumn(), console=Console(stderr=True), transient=False,
    )  # fmt: skip
    with bars:
        task = bars.add_task("Pending", total=None)
        told: str | None = None
        while True:
            body = await _read(client, namespace, name, bars)
            if body is None:
                raise click.ClickException(f"BackupRun {name} was deleted while it was watched")
            run = parse_run(body)
            progress = run.status.progress
            stage = f"{run.status.phase} {progress.stage}" if progress else run.status.phase
            read = progress.read_bytes if progress else 0
            expected = max(progress.expected_bytes, read) if progress and progress.expected_bytes else None
            if run.status.phase in TERMINAL_PHASES:
                read = sum(artifact.plain_bytes for artifact in run.status.artifacts) or read
                bars.update(task, description=run.status.phase, completed=read, total=read, visible=read > 0)
                return run
            bars.update(task, description=stage, completed=read, total=expected)
            if run.status.phase == "Pending" and run.status.message not in (None, told):
                told = run.status.message
                bars.console.print(Text(f"It waits: {told}"), soft_wrap=True)
            await asyncio.sleep(_POLL_SECONDS)


async def _read(client: KubeClient, namespace: str, name: str, bars: Progress) -> Object | None:
    """The run, asked for until the API answers: its restart says nothing about the run, which goes on without it."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await client.get(RUNS, namespace, name)
        except Unavailable as error:
            if time.monotonic() > give_up:
                raise click.ClickException(
                    f"{error}. BackupRun {name} goes on unwatched: kubectl get backuprun {name} -n {namespace}"
                ) from error
        bars.update(bars.task_ids[0], description="No answer from API")
        await asyncio.sleep(_POLL_SECONDS)


def _report(run: BackupRun) -> None:
    state = run.status
    click.echo(f"{run.meta.name}: {state.phase}" + (f" - {state.message}" if state.message else ""))
    for artifact in state.artifacts:
        part = "" if artifact.member_count is not None else f"/{artifact.database or artifact.kind}"
        level = artifact.verification.level if artifact.verification else "not verified"
        details = ", ".join(filter(None, (level, describe_contents(artifact))))
        click.echo(f"  {artifact.source}{part}: {human_bytes(artifact.stored_bytes)} ({details})")
