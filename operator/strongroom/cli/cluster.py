"""How the commands for people reach the API: the shared options, one call, one clear error."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from strongroom.api.errors import StrongroomError
from strongroom.kube.client import KubeClient
from strongroom.kube.connection import NoCluster, connect
from strongroom.kube.errors import ApiError, Unavailable

T = TypeVar("T")


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --kubeconfig and --namespace."""
    command = click.option(
        "-n", "--namespace", default="default", show_default=True, help="Namespace of the resources."
    )(command)
    return click.option(
        "--kubeconfig",
        type=click.Path(dir_okay=False, path_type=Path),
        help="How to reach the API. Default: $KUBECONFIG, ~/.kube/config, or in-cluster.",
    )(command)


def ask(kubeconfig: Path | None, question: Callable[[KubeClient], Awaitable[T]]) -> T:
    """Run one asynchronous conversation with the API; its errors become one line and exit code 1."""

    async def conversation() -> T:
        async with connect(kubeconfig) as client:
            return await question(client)

    try:
        return asyncio.run(conversation())
    except (ApiError, NoCluster) as error:
        raise click.ClickException(f"{error}{_hint(error, kubeconfig)}") from error
    except StrongroomError as error:
        raise click.ClickException(str(error)) from error


def _hint(error: Exception, kubeconfig: Path | None) -> str:
    """What to do, in brackets; nothing where the API has answered."""
    if kubeconfig is None and "KUBECONFIG" not in os.environ:
        return " (give --kubeconfig, or set KUBECONFIG; `strongroom up` prints its path)"
    return " (is `strongroom up` running there?)" if isinstance(error, Unavailable) else ""
