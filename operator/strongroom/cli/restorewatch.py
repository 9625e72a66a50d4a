"""A restore as people watch it: its plan, a bar for what is read, a line for each step, its end."""

import asyncio
import time
from datetime import timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from strongroom.api.resources import RestoreRequest, parse_restore
from strongroom.api.restoring import RestoreStep
from strongroom.cli.quantities import human_bytes, human_span
from strongroom.domain.restores import TERMINAL_PHASES
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import Unavailable
from strongroom.kube.kinds import RESTORES

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 120.0
_MARKS = {"Succeeded": "+", "Failed": "x", "RolledBack": "<", "Skipped": "-"}


async def await_plan(client: KubeClient, namespace: str, name: str) -> RestoreRequest:
    """The request once it has a plan, waits for its confirmation, or has ended."""
    told: str | None = None
    while True:
        request = await _read(client, namespace, name)
        status = request.status
        if status.phase in TERMINAL_PHASES or status.plan is not None:
            return request
        if status.message not in (None, told):
            told = status.message
            click.echo(told, err=True)
        await asyncio.sleep(_POLL_SECONDS)


def show_plan(request: RestoreRequest) -> None:
    """What will be done, line by line."""
    plan = request.status.plan
    if plan is None:
        return
    click.echo(f"Plan: {plan.recovery_point} (run {plan.run}), from store {', then '.join(plan.stores)}")
    for line in plan.lines:
        click.echo(f"  {line}")


async def watch_to_end(client: KubeClient, namespace: str, name: str) -> RestoreRequest:
    """Show steps and progress until the request has ended."""
    bars = Progress(
        TextColumn("{task.description:<24}"), BarColumn(), DownloadColumn(binary_units=True), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    told: set[tuple[str, str]] = set()
    with bars:
        task = bars.add_task("Pending", total=None)
        while True:
            request = await _read(client, namespace, name)
            status = request.status
            for step in status.steps:
                if step.state in _MARKS and (step.name, step.state) not in told:
                    told.add((step.name, step.state))
                    bars.console.print(Text(describe_step(step)), soft_wrap=True)
            if status.phase in TERMINAL_PHASES:
                return request
            progress = status.progress
            stage = f"{status.phase} {progress.stage}" if progress else status.phase
            read = progress.read_bytes if progress else 0
            expected = max(progress.expected_bytes, read) if progress and progress.expected_bytes else None
            bars.update(task, description=stage, completed=read, total=expected)
            await asyncio.sleep(_POLL_SECONDS)


def describe_step(step: RestoreStep) -> str:
    """`+ Compare (2s): 14 tables`."""
    took = ""
    if step.started_at is not None and step.finished_at is not None:
        took = f" ({human_span(max(step.finished_at - step.started_at, timedelta(0)))})"
    message = f": {step.message}" if step.message else ""
    return f"{_MARKS.get(step.state, '.')} {step.name}{took}{message}"


def show_end(request: RestoreRequest) -> None:
    """How it ended, and what was not as expected."""
    status = request.status
    click.echo(f"{request.meta.name}: {status.phase}" + (f" - {status.message}" if status.message else ""))
    for check in status.checks:
        if not check.passed:
            click.echo(f"  {check.name}: expected {check.expected}, found {check.found}")
    for line in status.differences:
        click.echo(f"  {line}")
    if status.plan is not None and status.phase == "Succeeded":
        size = sum(item.present_bytes or 0 for item in status.plan.items if item.overwrites)
        if status.replaced and size:
            click.echo(f"  kept beside the new: {human_bytes(size)}")


async def _read(client: KubeClient, namespace: str, name: str) -> RestoreRequest:
    """The request, asked for until the API answers: its restart says nothing about the restore, which goes on without it."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            body = await client.get(RESTORES, namespace, name)
        except Unavailable as error:
            if time.monotonic() > give_up:
                words = f"{error}. The request goes on unwatched: kubectl get restorerequest {name} -n {namespace}"
                raise click.ClickException(words) from error
            await asyncio.sleep(_POLL_SECONDS)
            continue
        if body is None:
            raise click.ClickException(f"RestoreRequest {name} was deleted while it was watched")
        return parse_restore(body)
