"""`strongroom catalogue sync`: the BackupRuns of what a store holds."""

import sys
from pathlib import Path

import click

from strongroom.api.conditions import READY, SYNCED, find_condition
from strongroom.api.labels import SYNC_REQUESTED_ANNOTATION
from strongroom.api.resources import BackupStore
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.requests import await_answer, request
from strongroom.kube.client import KubeClient


@click.group
def catalogue() -> None:
    """Learn from the stores what there is.

    \b
    Example:
      strongroom catalogue sync bucket --wait
    """


@catalogue.command
@click.argument("store")
@cluster_options
@click.option("--wait/--no-wait", default=False, help="Wait for the end, and print what was found.")
@click.option(
    "--timeout", type=click.FloatRange(min=1), default=3600.0, show_default=True, help="Seconds to wait."
)
def sync(store: str, kubeconfig: Path | None, namespace: str, wait: bool, timeout: float) -> None:
    """Read what STORE holds, and make the BackupRuns agree with it.

    The operator does so by itself when it starts and every few hours. Runs that are not known are rebuilt from their
    manifests, copies that have gone are told as missing. Nothing is written to the store, and nothing deleted in it.

    \b
    Exit code: 0 if all that was found can be used, 1 if not.
    """
    ask(kubeconfig, lambda client: request(client, namespace, store, SYNC_REQUESTED_ANNOTATION))
    if not wait:
        click.echo(f"Asked. See: kubectl get backupstore {store} -n {namespace} -o yaml")
        return
    found, answered = ask(kubeconfig, lambda client: _answer(client, namespace, store, timeout))
    synced = find_condition(found.status.conditions, SYNCED if answered else READY)
    if not answered:
        click.echo(f"{store}: not read yet; are operator and agent running (strongroom status)?")
    if synced is not None:
        click.echo(f"{store}: {synced.reason}: {synced.message}")
    sys.exit(0 if answered and synced is not None and synced.status == "True" else 1)


async def _answer(client: KubeClient, namespace: str, name: str, seconds: float) -> tuple[BackupStore, bool]:
    def answered(store: BackupStore) -> bool:
        """Whoever has asked after us was answered for us, too."""
        return store.status.last_sync_request == store.meta.annotations.get(SYNC_REQUESTED_ANNOTATION)

    return await await_answer(client, namespace, name, answered, seconds)
