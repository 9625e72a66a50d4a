"""`strongroom up`: API server, operator and agent on one host, in the foreground."""

import asyncio
import contextlib
import fcntl
import logging
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from strongroom.agent.pulse import pulse_path
from strongroom.cli.agentoptions import agent_options, agent_words
from strongroom.cli.logs import configure_logging, log_format_option
from strongroom.cli.supervisor import PROBE_SECONDS, Part, TouchedFile, supervise

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_LIVING_SECONDS = 3.0
_LOCK_SECONDS = 25.0
_PROBES_OF_SILENCE = 3
"""For so long an agent that says nothing is not yet suspected; it speaks every two seconds."""


@dataclass(frozen=True)
class UpSettings:
    """Where the state lives and how the parts are reached."""

    state_dir: Path
    bind: str
    names: tuple[str, ...]
    port: int
    metrics_port: int
    host_name: str
    namespace: str
    served: tuple[str, ...]
    tick_seconds: float
    probe_seconds: float
    log_format: str
    agent_words: tuple[str, ...]
    """The agent's own options."""

    @property
    def apiserver_dir(self) -> Path:
        """Folder of the API server: database, CA, kubeconfig files."""
        return self.state_dir / "apiserver"

    @property
    def metrics_port_file(self) -> Path:
        """File that holds the operator's metrics port."""
        return self.state_dir / "metrics.port"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state_dir / "kubeconfig"


@click.command
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default="/var/lib/strongroom",
    show_default=True,
    help="Folder of everything that Strongroom keeps on this host, backups excepted.",
)
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address that the API listens on.")
@click.option(
    "--advertise",
    "names",
    multiple=True,
    help="Further host name or address that clients reach the API by, for its certificate; may be repeated.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the API; 0 keeps the last one, or takes a free one.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=9188,
    show_default=True,
    help="Port of /metrics and /healthz on 127.0.0.1; 0 takes a free one.",
)
@click.option("--host-name", default="local", show_default=True, help="Name of this machine's DockerHost.")
@click.option("--namespace", default="default", show_default=True, help="Namespace of the DockerHost.")
@click.option(
    "--serve-namespace",
    "served",
    multiple=True,
    help="Also run Jobs of this namespace, if the DockerHost's allowedNamespaces names it; may be repeated.",
)
@agent_options
@click.option(
    "--tick-seconds",
    type=click.FloatRange(0.2, 300),
    default=10.0,
    show_default=True,
    help="How often the operator looks at everything again.",
)
@click.option(
    "--probe-seconds",
    type=click.FloatRange(1, 300),
    default=PROBE_SECONDS,
    show_default=True,
    help="How often each part is asked whether it lives. One that hangs four times in a row is killed and started again.",
)
@log_format_option
def up(state: Path, **options: Any) -> None:
    """Run API server, operator and agent on this host, until Ctrl-C or SIGTERM.

    \b
    Examples:
      strongroom up
      strongroom up --state ./state --port 16443
      kubectl --kubeconfig ./state/kubeconfig get backuppolicies
    """
    configure_logging("up", options["log_format"])
    own = {field.name: options.pop(field.name) for field in fields(UpSettings) if field.name in options}
    settings = UpSettings(state_dir=state.absolute(), agent_words=tuple(agent_words(options)), **own)
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(settings.state_dir) as lock:
        asyncio.run(_run(settings, lock))


@contextlib.contextmanager
def _only_one(state_dir: Path) -> Iterator[int]:
    """Hold the state folder's lock and give its descriptor, which the parts inherit.

    So a new `up` waits for the parts of a killed one, and two operators never share one identity. Another lock is the
    supervisor's alone: as long as it lives, waiting for its parts would be in vain.
    """
    refusal = click.ClickException(
        f"another `strongroom up` uses {state_dir}; stop it, or choose another --state"
    )
    with (state_dir / "supervisor.lock").open("w") as own, (state_dir / "up.lock").open("w") as lock:
        for descriptor, patience_seconds in ((own.fileno(), _LIVING_SECONDS), (lock.fileno(), _LOCK_SECONDS)):
            deadline = time.monotonic() + patience_seconds
            while not _locked(descriptor):
                if time.monotonic() > deadline:
                    raise refusal
                time.sleep(_POLL_SECONDS)
        yield lock.fileno()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _run(settings: UpSettings, lock: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings.metrics_port_file.unlink(missing_ok=True)
    announcing = asyncio.create_task(_announce(settings))
    try:
        await supervise(_parts(settings), stop, keep_open=(lock,), probe_seconds=settings.probe_seconds)
    finally:
        announcing.cancel()


def _parts(settings: UpSettings) -> list[Part]:
    strongroom = (sys.executable, "-m", "strongroom")
    logs = ("--log-format", settings.log_format)
    folder = settings.apiserver_dir

    async def at_once() -> None:
        return

    async def when_served() -> None:
        while not await _apiserver_is_healthy(settings):
            await asyncio.sleep(_POLL_SECONDS)

    return [
        Part(
            "apiserver",
            (*strongroom, "apiserver", "--state", str(folder), "--bind", settings.bind, "--port", str(settings.port),
             *(word for name in settings.names for word in ("--advertise", name)), *logs),
            at_once,
            lambda: lambda: _apiserver_is_healthy(settings),
        ),
        Part(
            "operator",
            (
                *strongroom, "operator", "--kubeconfig", str(folder / "operator.kubeconfig"),
                "--identity", f"up@{socket.gethostname()}", "--lease-namespace", settings.namespace, "--metrics-port", str(settings.metrics_port),
                "--metrics-port-file", str(settings.metrics_port_file), "--tick-seconds", str(settings.tick_seconds), *logs,
            ),
            when_served,
            lambda: lambda: _operator_is_healthy(settings),
        ),
        Part(
            "agent",
            (
                *strongroom, "agent", "--kubeconfig", str(folder / "agent.kubeconfig"), "--host-name", settings.host_name,
                "--namespace", settings.namespace, "--state", str(settings.state_dir / "agent"), *settings.agent_words,
                *(word for namespace in settings.served for word in ("--serve-namespace", namespace)), *logs,
            ),
            when_served,
            lambda: TouchedFile(pulse_path(settings.state_dir / "agent"), _PROBES_OF_SILENCE * settings.probe_seconds),
        ),
    ]  # fmt: skip


async def _announce(settings: UpSettings) -> None:
    """Put the administrator's kubeconfig where people look for it, and say so, once the API answers."""
    while not await _apiserver_is_healthy(settings):
        await asyncio.sleep(_POLL_SECONDS)
    if not settings.kubeconfig.is_symlink():
        settings.kubeconfig.symlink_to(Path("apiserver") / "admin.kubeconfig")
    logger.info("ready: export KUBECONFIG=%s", settings.kubeconfig)


async def _apiserver_is_healthy(settings: UpSettings) -> bool:
    from strongroom.apiserver.probe import is_ready

    return await asyncio.to_thread(is_ready, settings.apiserver_dir, settings.bind)


async def _operator_is_healthy(settings: UpSettings) -> bool:
    return await asyncio.to_thread(_answers, settings.metrics_port_file)


def _answers(port_file: Path) -> bool:
    try:
        url = f"http://127.0.0.1:{int(port_file.read_text())}/healthz"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False
