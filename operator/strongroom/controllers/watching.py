"""kopf: lists and watches our kinds and hands every event on. It writes nothing to any object.

It runs in a thread with an event loop of its own, because at its end it cancels every task of the loop it runs in. Its session
asks again by itself; should kopf end all the same, it is started again.
"""

import asyncio
import logging
import threading
import time

import kopf

from strongroom import __version__
from strongroom.api.labels import MANAGED_BY_LABEL, MANAGER
from strongroom.controllers.context import Context
from strongroom.controllers.keys import OWN, WATCHED, watched
from strongroom.controllers.ticking import resync
from strongroom.kube.client import PAGE_SIZE, Object
from strongroom.kube.connection import Login, read_login
from strongroom.kube.errors import ApiError
from strongroom.kube.following import pause_seconds
from strongroom.kube.kinds import ApiKind
from strongroom.kube.permissions import Permission
from strongroom.kube.refusals import Refusal
from strongroom.kube.rights import READ, on
from strongroom.kube.sessions import build_session

log = logging.getLogger(__name__)
LONGEST_STOP_SECONDS = 15
STEADY_SECONDS = 60.0
"""After so long a start counts as good."""
ABOUT = "watching"
RIGHTS = tuple(on(kind, *READ) for kind in WATCHED)


async def watch(context: Context) -> None:
    """Follow every kind until cancelled, whatever ends kopf before that."""
    failures = 0
    while True:
        started = time.monotonic()
        trouble = await _run_kopf(context)
        failures = 0 if time.monotonic() - started > STEADY_SECONDS else failures + 1
        context.obstacles.note(
            ABOUT, Refusal("WatchEnded", f"kopf has ended: {trouble}. It is started again.")
        )
        await asyncio.sleep(pause_seconds(failures))
        context.obstacles.clear(ABOUT)
        await resync(context)


async def _run_kopf(context: Context) -> str:
    """Let kopf run until it ends; returns why, in words."""
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
    except Exception as error:  # noqa: BLE001  of whatever class: the next start tries again
        return f"{type(error).__name__}: {error}"
    finally:
        stop.set()
        await asyncio.wait({running}, timeout=LONGEST_STOP_SECONDS)
    return "without a word"


def _build_registry(context: Context, loop: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    def hear(permission: Permission, error: ApiError | None) -> None:
        loop.call_soon_threadsafe(context.obstacles.hear, permission, error)

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: object) -> kopf.AiohttpSession:
        asked = asyncio.run_coroutine_threadsafe(read_login(context.client.reads), loop)
        found: Login = await asyncio.wrap_future(asked)
        session = build_session(found, f"{context.client.reads.component}/{__version__}", hear)
        return kopf.AiohttpSession(server=found.server, aiohttp_session=session)

    def take_in(kind: ApiKind, type_: str | None, body: Object) -> None:
        for key in context.observed.apply(kind, type_, body):
            context.queue.add(key)

    def follow(kind: ApiKind) -> None:
        @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"see-{kind.plural}")
        async def see(event: kopf.RawEvent, **_: object) -> None:
            loop.call_soon_threadsafe(take_in, kind, event["type"], dict(event["object"]))

    for kind in watched(runs_pods=context.observed.pod_defaults is not None):
        follow(kind)
    return registry


def _build_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    # No right at the cluster scope is needed: neither namespaces nor CRDs are looked at.
    settings.scanning.disabled = True
    for kind in OWN:
        ours = f"{MANAGED_BY_LABEL}={MANAGER}"
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = ours
    settings.watching.chunk_size = PAGE_SIZE
    settings.watching.server_timeout = 300
    settings.watching.reconnect_backoff = 1.0
    settings.networking.error_backoffs = ()  # the session does that
    settings.networking.request_timeout = 600
    settings.networking.connect_timeout = 30
    settings.process.ultimate_exiting_timeout = None
    # One short-lived task an object: thousands of them must neither live at once nor hold up what comes after them.
    settings.queueing.worker_limit = 200
    settings.queueing.idle_timeout = 0.1
    settings.queueing.exit_timeout = 0.1
    # Every event of every object passes here: kopf's own words about each would drown ours.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    # It warns that a thread gets no signals; ours are handled where they arrive.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    return settings
