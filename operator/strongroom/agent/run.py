"""Running an agent in the foreground, until SIGTERM."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack

from strongroom.agent.credentials import CredentialKeeper
from strongroom.agent.dispatching import Dispatcher
from strongroom.agent.enginewatch import EngineWatch
from strongroom.agent.execution import Means
from strongroom.agent.folders import StateFolder, StateTaken
from strongroom.agent.isolations import Isolations
from strongroom.agent.joining import credential_path
from strongroom.agent.pulse import Pulse
from strongroom.agent.registration import Registration
from strongroom.agent.settings import AgentSettings
from strongroom.agent.sweeping import sweep
from strongroom.agent.undoing import Undoing
from strongroom.kube.connection import NoCluster, connect

DRAIN_LOOK_SECONDS = 0.5

log = logging.getLogger(__name__)


def run_agent(settings: AgentSettings) -> int:
    """Be the agent of one DockerHost until SIGTERM or SIGINT; returns the exit code.

    0: stopped cleanly; running workers go on, and the next agent on the state folder adopts them.
    1: it could not start: the state folder is another agent's or unusable, or there is no cluster to connect to.
    """
    state = StateFolder(settings.state_dir, settings.secrets_dir)
    try:
        with state.held():
            asyncio.run(_serve(settings, state))
    except (StateTaken, NoCluster, OSError) as error:
        log.error("the agent cannot run: %s%s", error, _way_in(error, settings))  # noqa: TRY400  the text says it all
        return 1
    return 0


def _way_in(error: Exception, settings: AgentSettings) -> str:
    if not isinstance(error, NoCluster) or settings.kubeconfig is not None:
        return ""
    return (
        f". {settings.state_dir} holds no credential of an earlier joining either: on the control plane run "
        f"`strongroom token {settings.host_name}`, and start this agent with --join and the token."
    )


async def _serve(settings: AgentSettings, state: StateFolder) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    identity = settings.identity or state.identity()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(settings.kubeconfig, component="strongroom-agent"))
        means = Means(client, Isolations(settings, identity), settings.timing, Undoing(settings))
        watch = EngineWatch(settings, lambda engine: sweep(engine, state, identity))
        pulse = Pulse(settings.state_dir, ("registration", "dispatcher"))
        dispatcher = Dispatcher(
            settings,
            identity,
            means,
            state,
            lambda: 0 if stop.is_set() else registration.slots(),
            beat=pulse.of("dispatcher"),
        )
        registration = Registration(
            client,
            settings,
            identity,
            running=lambda: dispatcher.running,
            claimable=dispatcher.wake,
            engine_facts=lambda: watch.facts,
            beat=pulse.of("registration"),
        )
        log.info("agent %s starts for DockerHost %s/%s", identity, settings.namespace, settings.host_name)
        living = asyncio.create_task(pulse.run())
        await dispatcher.resume()
        parts = [living, *(asyncio.create_task(part.run()) for part in (registration, dispatcher, watch))]
        if (own := credential_path(settings.state_dir)) == settings.kubeconfig:
            parts.append(asyncio.create_task(CredentialKeeper(client, own).run()))
        try:
            await _until(stop, parts)
            if settings.drain:
                await _drain(dispatcher)
        finally:
            await _end(parts)
            idle = dispatcher.is_idle
            await dispatcher.leave()
        if idle:
            # With a worker left behind, the Lease keeps other agents away as long as it can.
            await registration.release()
        log.info("agent %s stopped", identity)


async def _until(stop: asyncio.Event, parts: list[asyncio.Task[None]]) -> None:
    """Wait for the order to stop; a part that ends before has failed, and its error is raised."""
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopped, *parts], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in done - {stopped}:
        task.result()


async def _drain(dispatcher: Dispatcher) -> None:
    log.info("waiting for %d Jobs", dispatcher.running)
    while not dispatcher.is_idle:
        await asyncio.sleep(DRAIN_LOOK_SECONDS)


async def _end(parts: list[asyncio.Task[None]]) -> None:
    for task in parts:
        task.cancel()
    await asyncio.gather(*parts, return_exceptions=True)
