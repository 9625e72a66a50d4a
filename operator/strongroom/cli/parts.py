"""`strongroom apiserver | operator | agent | worker`: one part each, in the foreground. `strongroom up` starts the first three."""

import os
import socket
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TextIO

import click

from strongroom.cli.agentoptions import agent_options, agent_settings
from strongroom.cli.joinoptions import join_options
from strongroom.cli.logs import configure_logging, log_format_option


def _machine_name() -> str:
    return socket.gethostname().split(".")[0].lower()


def _networks(_ctx: click.Context, _param: click.Parameter, told: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(each)) for each in told)
    except ValueError as error:
        raise click.BadParameter(f"write a network such as 10.96.0.0/12: {error}") from error


_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command
@click.option(
    "--state", type=_FOLDER, required=True, help="Folder of the database, the CA and the kubeconfig files."
)
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port to listen on; 0 keeps the last one, or takes a free one.",
)
@click.option(
    "--advertise",
    "names",
    multiple=True,
    help="Further host name or address that clients reach the API by, for its certificate; may be repeated.",
)
@log_format_option
def apiserver(state: Path, bind: str, port: int, names: tuple[str, ...], log_format: str) -> None:
    """Serve the embedded Kubernetes API (no pods, no scheduler: the API alone).

    \b
    Example:
      strongroom apiserver --state /var/lib/strongroom/apiserver --port 16443
    """
    configure_logging("apiserver", log_format)
    from strongroom.api.crds import build_crds
    from strongroom.apiserver.serve import run_apiserver
    from strongroom.apiserver.settings import Settings

    run_apiserver(Settings(state_dir=state, host=bind, port=port, names=names, crds=tuple(build_crds())))


@click.command
@click.option(
    "--kubeconfig",
    type=_FILE,
    help="How to reach the API. Default: $KUBECONFIG, ~/.kube/config, or in-cluster.",
)
@click.option(
    "--identity",
    help="Name in the operator's Lease, unique among living operators. Default: made of host and process.",
)
@click.option(
    "--lease-namespace", default="default", show_default=True, help="Namespace of the operator's own Lease."
)
@click.option(
    "--lease-seconds",
    type=click.IntRange(3, 300),
    default=15,
    show_default=True,
    help="How long the Lease of a dead operator keeps others waiting. One that cannot renew its own for two thirds of it stops.",
)
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    help="Serve only this namespace; may be repeated. Default: all.",
)
@click.option(
    "--metrics-bind", default="127.0.0.1", show_default=True, help="Address of /metrics and /healthz."
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=9188,
    show_default=True,
    help="Port of /metrics and /healthz; 0 takes a free one.",
)
@click.option(
    "--job-defaults",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File (YAML or JSON) with the fields of a policy's spec.job: defaults for Jobs that the cluster runs.",
)
@click.option("--worker-image", help="Image of workers, where --job-defaults and the policy name none.")
@click.option(
    "--reach",
    multiple=True,
    callback=_networks,
    help="Network that a restore's health check may fetch from, where a cluster restores; may be repeated. Default: the private ones.",
)
@click.option("--metrics-port-file", type=_FILE, help="File that the port in use is written to.")
@click.option(
    "--tick-seconds",
    type=click.FloatRange(0.2, 300),
    default=10.0,
    show_default=True,
    help="How often everything is looked at again.",
)
@log_format_option
def operator(  # noqa: PLR0917 (one parameter an option)
    kubeconfig: Path | None,
    identity: str | None,
    lease_namespace: str,
    lease_seconds: int,
    namespaces: tuple[str, ...],
    metrics_bind: str,
    metrics_port: int,
    job_defaults: Path | None,
    worker_image: str | None,
    reach: tuple[str, ...],
    metrics_port_file: Path | None,
    tick_seconds: float,
    log_format: str,
) -> None:
    """Reconcile policies into runs and Jobs.

    \b
    Example:
      strongroom operator --kubeconfig ~/.kube/config --metrics-port 9188
    """
    configure_logging("operator", log_format)
    from strongroom.controllers.run import run_operator
    from strongroom.controllers.settings import REACH, WORKER_IMAGE, OperatorSettings, read_job_defaults

    settings = OperatorSettings(
        kubeconfig=kubeconfig,
        namespaces=namespaces,
        identity=identity or f"{socket.gethostname()}-{os.getpid()}",
        lease_namespace=lease_namespace,
        lease_seconds=lease_seconds,
        metrics_host=metrics_bind,
        metrics_port=metrics_port,
        metrics_port_file=metrics_port_file,
        tick_seconds=tick_seconds,
        worker_image=worker_image or WORKER_IMAGE,
        job_defaults=read_job_defaults(job_defaults),
        reach=reach or REACH,
    )
    sys.exit(run_operator(settings))


@click.command
@click.option(
    "--kubeconfig",
    type=_FILE,
    help="How to reach the API. Default: $KUBECONFIG, ~/.kube/config, or in-cluster.",
)
@click.option(
    "--host-name",
    default=_machine_name,
    show_default="this machine's name",
    help="Name of the DockerHost that this agent is.",
)
@click.option("--namespace", default="default", show_default=True, help="Namespace of the DockerHost.")
@click.option(
    "--serve-namespace", "served", multiple=True, help="Also run Jobs of this namespace; may be repeated."
)
@click.option("--state", type=_FOLDER, required=True, help="Folder for Jobs under way.")
@agent_options
@click.option(
    "--secrets-dir",
    type=_FOLDER,
    help="Where Secrets lie while a worker needs them, such as a folder on a tmpfs. Default: below --state.",
)
@click.option(
    "--drain",
    is_flag=True,
    help="On SIGTERM wait for running Jobs, instead of leaving them to the next agent.",
)
@join_options
@log_format_option
def agent(  # noqa: PLR0917 (one parameter an option)
    kubeconfig: Path | None,
    host_name: str,
    namespace: str,
    served: tuple[str, ...],
    state: Path,
    secrets_dir: Path | None,
    drain: bool,
    log_format: str,
    **options: Any,
) -> None:
    """Run the Jobs that are addressed to this host. Makes outgoing connections only.

    A further host joins once, with the command that `strongroom token` prints; it keeps its credential in --state.

    \b
    Examples:
      strongroom agent --join https://vault.example:16443 --token-file token --host-name web-2 --state /var/lib/strongroom/agent
      strongroom agent --host-name web-2 --state /var/lib/strongroom/agent
      strongroom agent --kubeconfig agent.kubeconfig --host-name web-1 --state /var/lib/strongroom/agent
    """
    configure_logging("agent", log_format)
    from strongroom.agent.run import run_agent
    from strongroom.agent.settings import AgentSettings

    settings = AgentSettings(
        kubeconfig=kubeconfig,
        host_name=host_name,
        namespace=namespace,
        served_namespaces=served,
        state_dir=state,
        secrets_dir=secrets_dir,
        drain=drain,
        **agent_settings(options),
    )
    sys.exit(run_agent(settings))


@click.command
@click.option("--order", type=_FILE, required=True, help="Work order (JSON).")
@click.option("--secrets", type=_FOLDER, required=True, help="Folder with <Secret>/<key> files.")
@click.option("--result", type=_FILE, required=True, help="Where the result is written, as the last act.")
@click.option("--scratch", type=_FOLDER, required=True, help="Folder for temporary files; a few KiB.")
@click.option(
    "--journal",
    type=_FOLDER,
    help="Folder on a disk for what hooks have to undo. Whoever starts the worker undoes what it leaves there.",
)
@click.option(
    "--engine",
    "engine_url",
    help="The host's Docker Engine. Default: $DOCKER_HOST, else the system's socket.",
)
@click.option(
    "--mounts",
    type=_FILE,
    help="Where volumes and paths of the host are mounted (JSON). Default: all at their own paths.",
)
@click.option(
    "--reach",
    multiple=True,
    help="Network that a health check may fetch from besides the host's own addresses; may be repeated.",
)
@click.option(
    "--roll-back",
    is_flag=True,
    help="Restore nothing: put back what earlier workers of the same order have exchanged.",
)
@click.option(
    "--claims", type=_FOLDER, help="Where a cluster mounts PersistentVolumeClaims, each by its name."
)
@click.option(
    "--termination-message", type=_FILE, help="File that a cluster takes the result from, too; 4 KiB."
)
@click.option(
    "--answers",
    type=_FILE,
    help="File where the operator answers what progress lines ask, in a cluster's pod.",
)
@click.option(
    "--drill-servers",
    type=_FOLDER,
    help="Where throw-away servers beside this worker have their sockets, in a cluster's pod.",
)
@click.option("--progress", type=_FILE, help="File for progress lines. Default: standard output.")
@click.option("--log", type=_FILE, help="File for the log. Default: standard error.")
def worker(progress: Path | None, log: Path | None, **paths: Any) -> None:
    """Carry out one work order. Agents and clusters start this; it holds no API credentials.

    \b
    Example:
      strongroom worker --order order.json --secrets secrets/ --result result.json --scratch /tmp/scratch
    """
    _append_to(sys.stdout, progress)
    _append_to(sys.stderr, log)
    configure_logging("worker")
    from strongroom.worker.run import WorkerPaths, run_worker

    sys.exit(run_worker(WorkerPaths(**paths)))


def _append_to(stream: TextIO, file: Path | None) -> None:
    """Let a standard stream, also of every program started, go to the file."""
    if file is not None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
