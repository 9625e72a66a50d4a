"""`strongroom stores check`: does each store do what a backup will ask of it, seen from the hosts that use it?"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from strongroom.api.conditions import READY, find_condition
from strongroom.api.errors import StrongroomError
from strongroom.api.labels import CHECK_REQUESTED_ANNOTATION
from strongroom.api.resources import BackupStore
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.quantities import ago, human_bytes
from strongroom.cli.requests import await_answer, request
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import STORES

Answer = tuple[BackupStore, bool] | StrongroomError
"""The store and whether it has answered, or why nothing can be said of it."""


@click.group
def stores() -> None:
    """Look at the stores.

    \b
    Examples:
      strongroom stores check
      strongroom stores check bucket --no-wait
    """


@stores.command
@click.argument("names", metavar="[STORE]...", nargs=-1)
@cluster_options
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait for the answers, and print them."
)
@click.option(
    "--timeout", type=click.FloatRange(min=1), default=300.0, show_default=True, help="Seconds to wait."
)
def check(
    names: tuple[str, ...], kubeconfig: Path | None, namespace: str, wait: bool, timeout: float
) -> None:
    """List, write, read and delete in each STORE (all, if none is named), from every host that uses it.

    The operator makes the Jobs. An unusable store is told with its reason and the way out.

    \b
    Exit code: 0 if all are ready, 1 if any is not, or did not answer in time.
    """
    asked = ask(kubeconfig, lambda client: _ask(client, namespace, names))
    if not wait:
        click.echo("Asked. See: kubectl get backupstores -n " + namespace)
        return
    states = ask(kubeconfig, lambda client: _answers(client, namespace, asked, timeout))
    for name, answer in states:
        if isinstance(answer, StrongroomError):
            click.echo(f"{name}  NOT READABLE\n  {answer.reason.name}: {answer}. {answer.reason.hint}")
        else:
            _print(*answer)
    sys.exit(0 if all(_is_good(answer) for _, answer in states) else 1)


async def _ask(client: KubeClient, namespace: str, names: tuple[str, ...]) -> tuple[str, ...]:
    there = sorted(body["metadata"]["name"] for body in (await client.list(STORES, namespace)).items)
    if not names and not there:
        raise click.ClickException(f"there are no BackupStores in namespace {namespace}")
    for name in names or there:
        await request(client, namespace, name, CHECK_REQUESTED_ANNOTATION)
    return names or tuple(there)


async def _answers(
    client: KubeClient, namespace: str, names: tuple[str, ...], seconds: float
) -> list[tuple[str, Answer]]:
    """One that cannot be read is told, and keeps nobody from looking at the others."""

    def answered(store: BackupStore) -> bool:
        """Whoever has asked after us was answered for us, too."""
        return store.status.last_check_request == store.meta.annotations.get(CHECK_REQUESTED_ANNOTATION)

    async def answer(name: str) -> Answer:
        try:
            return await await_answer(client, namespace, name, answered, seconds)
        except StrongroomError as error:
            return error

    return [(name, await answer(name)) for name in names]


def _is_good(answer: Answer) -> bool:
    return not isinstance(answer, StrongroomError) and answer[1] and _is_ready(answer[0])


def _is_ready(store: BackupStore) -> bool:
    ready = find_condition(store.status.conditions, READY)
    return ready is not None and ready.status == "True"


def _print(store: BackupStore, answered: bool) -> None:
    state, ready = store.status, find_condition(store.status.conditions, READY)
    word = "ready" if _is_ready(store) else "NOT READY"
    click.echo(f"{store.meta.name}  {store.spec.type}  {word if answered else 'NO ANSWER'}")
    if ready is not None and not (answered and _is_ready(store)):
        click.echo(f"  {ready.reason}: {ready.message}")
    if not answered:
        click.echo("  The request was not answered; are operator and agent running (strongroom status)?")
    if state.capabilities:
        click.echo(f"  can: {', '.join(state.capabilities)}")
    free = f", {human_bytes(state.free_bytes)} free" if state.free_bytes is not None else ""
    if state.artifact_count is not None:
        click.echo(f"  {state.artifact_count} recovery points, {human_bytes(state.total_bytes)}{free}")
    click.echo(f"  last reached: {ago(state.last_contact_time, datetime.now(UTC))}")
