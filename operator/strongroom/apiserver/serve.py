"""Run the server: in an event loop that somebody else owns, or as a process of its own."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
import uvloop

from strongroom.apiserver.app import Application
from strongroom.apiserver.auth.tokens import Tokens
from strongroom.apiserver.bootstrap import (
    TOKENS,
    Kubeconfigs,
    build_control_plane,
    ensure_kubeconfigs,
    ensure_objects,
)
from strongroom.apiserver.builtins.lifecycles import run_lifecycles
from strongroom.apiserver.cluster import Cluster
from strongroom.apiserver.lifecycle.compactions import run_compaction
from strongroom.apiserver.lifecycle.expiry import run_expiry
from strongroom.apiserver.lifecycle.garbage import GarbageCollector
from strongroom.apiserver.lifecycle.loops import run_loop
from strongroom.apiserver.listening import build_context, ensure_server_certificates, hold_state, listen
from strongroom.apiserver.settings import Settings

KEEP_ALIVE_SECONDS = 95
"""Go's clients drop idle connections after 90 s; whoever drops first must not be the server."""
GRACE_SECONDS = 3
RENEWAL_SECONDS = 86_400.0


@dataclass(frozen=True)
class Endpoint:
    """Where a running server is, and how to reach it."""

    url: str
    port: int
    kubeconfigs: Kubeconfigs


OnReady = Callable[[Endpoint], Awaitable[None] | None]


async def serve(settings: Settings, stop: asyncio.Event, on_ready: OnReady | None = None) -> None:
    """Serve until `stop` is set. `on_ready` is called once connections are accepted.

    Raises OSError when the address is taken or another server works in the state folder, ValueError for a CRD that cannot be served.
    """
    with hold_state(settings.state_dir), listen(settings) as (listener, address):
        tokens = Tokens(settings.state_dir / TOKENS)
        plane = build_control_plane(settings, tokens)
        cluster = plane.cluster
        try:
            await ensure_objects(cluster, settings.crds)
            certificates = ensure_server_certificates(settings)
            kubeconfigs = ensure_kubeconfigs(settings, tokens, certificates, address.url)
            context = build_context(certificates)
            application = Application(cluster, plane.gate, certificates.ca.read_bytes())
            server = _EmbeddedServer(_configure(application, context))
            background = [*_lifecycles(cluster), lambda: _run_renewal(settings, context)]
            endpoint = Endpoint(address.url, address.port, kubeconfigs)
            await _run_together(_Run(cluster, server, listener, stop), background, endpoint, on_ready)
        finally:
            await cluster.store.close()


def run_apiserver(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; one line on stdout says when it is ready."""

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(settings, stop, _print_ready)

    uvloop.run(main())


def _print_ready(endpoint: Endpoint) -> None:
    print(f"ready {endpoint.url} KUBECONFIG={endpoint.kubeconfigs.admin}", flush=True)  # noqa: T201 - the command's output


@dataclass(frozen=True)
class _Run:
    cluster: Cluster
    server: uvicorn.Server
    listener: socket.socket
    stop: asyncio.Event


Loop = Callable[[], Awaitable[None]]


async def _run_together(
    run: _Run, background: list[Loop], endpoint: Endpoint, on_ready: OnReady | None
) -> None:
    """The server and everything that happens by itself; a fault in one of them ends all, so that a supervisor sees it."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_as_coroutine(loop)) for loop in background]
        serving = group.create_task(run.server.serve(sockets=[run.listener]))
        while not run.server.started and not serving.done():
            await asyncio.sleep(0.005)
        answer = on_ready(endpoint) if on_ready else None
        if answer is not None:
            await answer
        stopping = group.create_task(run.stop.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        run.cluster.stop()
        run.server.should_exit = True
        await serving
        for task in (*tasks, stopping):
            task.cancel()


async def _as_coroutine(loop: Loop) -> None:
    await loop()


def _lifecycles(cluster: Cluster) -> list[Loop]:
    collector = GarbageCollector(cluster)
    return [
        collector.run,
        lambda: run_lifecycles(cluster),
        lambda: run_expiry(cluster),
        lambda: run_compaction(cluster),
    ]


class _EmbeddedServer(uvicorn.Server):
    """uvicorn without its signal handlers: the process that embeds it decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _configure(app: Application, context: ssl.SSLContext) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_context_factory=lambda _config, _default: context,
    )


async def _run_renewal(settings: Settings, context: ssl.SSLContext) -> None:
    """Once a day: a leaf that ends soon is replaced, and new connections get the new one."""

    async def step() -> None:
        certificates = await asyncio.to_thread(ensure_server_certificates, settings)
        context.load_cert_chain(certificates.certificate, certificates.key)

    await run_loop(step, interval_seconds=RENEWAL_SECONDS)
