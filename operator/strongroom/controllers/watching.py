"""kopf: lists and watches our kinds, reconnects by itself, and hands every event on. It writes nothing to any object.

It runs in a thread with an event loop of its own, because at its end it cancels every task of the loop it runs in.
"""

import asyncio
import logging
import threading

import kopf

from strongroom.api.labels import MANAGED_BY_LABEL, MANAGER
from strongroom.controllers.context import Context
from strongroom.controllers.keys import WATCHED
from strongroom.kube.client import Object
from strongroom.kube.connection import read_login
from strongroom.kube.kinds import JOBS, ApiKind

log = logging.getLogger(__name__)
LONGEST_STOP_SECONDS = 15


async def watch(context: Context) -> None:
    """Follow every kind until cancelled; raises what ends kopf before that."""
    stop = threading.Event()
    registry = _build_registry(context, asyncio.get_running_loop())
    namespaces = context.settings.namespaces

    def run() -> None:
        operator = kopf.operator(
            registry=registry,
            settings=_build_settings(),
            standalone=True,  # one Lease of our own decides who acts
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
        )
        asyncio.run(operator)

    running = asyncio.create_task(asyncio.to_thread(run))
    try:
        await asyncio.shield(running)
    finally:
        stop.set()
        await asyncio.wait({running}, timeout=LONGEST_STOP_SECONDS)


def _build_registry(context: Context, loop: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: object) -> kopf.ConnectionInfo:
        asked = asyncio.run_coroutine_threadsafe(read_login(context.client.reads), loop)
        found = await asyncio.wrap_future(asked)
        return kopf.ConnectionInfo(
            server=found.server,
            ca_path=found.ca_path,
            insecure=not found.verify,
            scheme="Bearer" if found.token else None,
            token=found.token,
            certificate_path=found.certificate_path,
            private_key_path=found.private_key_path,
        )

    def take_in(kind: ApiKind, type_: str | None, body: Object) -> None:
        for key in context.observed.apply(kind, type_, body):
            context.queue.add(key)

    def follow(kind: ApiKind) -> None:
        labels = {MANAGED_BY_LABEL: MANAGER} if kind == JOBS else None

        @kopf.on.event(
            kind.group, kind.version, kind.plural, registry=registry, labels=labels, id=f"see-{kind.plural}"
        )
        async def see(event: kopf.RawEvent, **_: object) -> None:
            loop.call_soon_threadsafe(take_in, kind, event["type"], dict(event["object"]))

    for kind in WATCHED:
        follow(kind)
    return registry


def _build_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.watching.server_timeout = 300
    settings.networking.request_timeout = 30
    settings.process.ultimate_exiting_timeout = None
    # Every event of every object passes here: kopf's own words about each would drown ours.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    # It warns that a thread gets no signals; ours are handled where they arrive.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    return settings
