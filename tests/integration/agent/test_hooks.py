"""Hooks of Jobs on a real Engine, with the real agent and worker: whatever is killed, afterwards exactly what ran runs."""

import asyncio
import dataclasses
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime

import pytest
from tests.integration.agent.hosts import TIMING
from tests.integration.embedded import until
from tests.integration.hooks.services import RUN_UID, Services, of, say, work_order

from strongroom.agent.allowances import Allowances
from strongroom.agent.folders import StateFolder
from strongroom.engine.journal import Journal
from strongroom.kube.kinds import JOBS

REAL = (sys.executable, "-m", "strongroom", "worker")
# Ends a moment after it was told to, so that there is a time in which it is being stopped.
SLOW = ("sh", "-c", "trap 'sleep 0.3; exit' TERM; sleep infinity & wait")
HOOKS = {"stop": [of("web"), of("app"), of("old")], "pause": [of("cache")], "stopTimeout": "2s"}
RUNNING = {"shop-app": "running", "shop-cache": "running", "shop-old": "exited", "shop-web": "running"}


@pytest.fixture
def services(engine, tmp_path):
    """A stack of which one service is stopped, and a volume that takes a while to read."""
    engine.start()
    services = Services(engine, tmp_path)
    for name in ("app", "web"):
        services.compose(name, "--stop-signal=TERM", command=SLOW)
    for name in ("cache", "old"):
        services.compose(name)
    engine.docker("stop", "shop-old")
    fill = ("--rm", "--volume=media:/media", "strongroom-test/base:bookworm")
    engine.docker("run", *fill, "sh", "-c", "head -c 20000000 /dev/urandom > /media/file")
    (tmp_path / "store").mkdir()
    yield services
    engine.start()
    services.clear()


def start(host, services, **more):
    host.start(
        worker_command=REAL,
        engine_url=services.engine.url,
        isolation="process",
        allowed=Allowances(stores=(str(services.folder),)),
        **more,
    )


async def send(host, services, hooks, *, run="run-1", policy="shop", **spec):
    order = work_order(hooks).to_api()
    order |= {"namespace": host.namespace, "runUid": f"{RUN_UID}-{run}"}
    order["stores"][0]["spec"]["local"]["path"] = str(services.folder / "store")
    order["backup"] |= {"run": run, "policy": policy}
    return await host.send(policy, order=json.dumps(order), **{"backoffLimit": 6, **spec})


class Watched:
    """The journal of a Job, seen from outside."""

    def __init__(self, host, services, job):
        self.services = services
        self.begun = datetime.now(UTC)
        self.folder = StateFolder(host.state).job(job["metadata"]["uid"])
        self.most = 0

    def entries(self):
        entries = [entry.taken for entry in Journal(self.folder.journal).entries() if entry.taken]
        self.most = max(self.most, len(entries))
        return entries

    def until(self, moment):
        """Blocks until it has come."""
        end = time.monotonic() + 30
        while not MOMENTS[moment](self, self.entries()):
            assert time.monotonic() < end, moment
            time.sleep(0.005)

    @property
    def worker(self):
        attempts = self.folder.attempts() if self.folder.plan() else []
        return attempts[-1].process if attempts else None


ALL = len(HOOKS["stop"]) + len(HOOKS["pause"])
MOMENTS = {
    "before a record": lambda watched, _: watched.worker is not None,
    "after all records": lambda _, entries: len(entries) == ALL,
    "after a stop": lambda _, entries: any(e.done for e in entries),
    "while it reads": lambda _, entries: (
        len(entries) == ALL and all(e.done or e.state == "exited" for e in entries)
    ),
    "while it undoes": lambda watched, _: (
        watched.most == ALL and watched.services.happened(watched.begun, "unpause")
    ),
    "after a start": lambda watched, entries: watched.most == ALL and not entries,
}


def kill_worker(_host, _services, watched):
    os.kill(watched.worker.pid, signal.SIGKILL)


def kill_agent(host, services, _watched):
    host.kill()
    start(host, services)


def kill_agent_and_worker(host, services, watched):
    worker = watched.worker
    host.kill()
    os.kill(worker.pid, signal.SIGKILL)
    start(host, services)


def kill_engine(_host, services, _watched):
    services.engine.kill()
    services.engine.start()


def restart_engine(_host, services, _watched):
    services.engine.restart()


# Each moment with whom it is hard for: a worker dies at any; an agent that comes back finds one at work, or what is owed.
@pytest.mark.parametrize(
    ("kill", "moments"),
    [
        (kill_worker, list(MOMENTS)[1:]),
        (kill_agent, ["after a stop", "while it undoes"]),
        (kill_agent_and_worker, ["while it reads", "while it undoes"]),
        (kill_engine, ["after all records", "while it reads", "while it undoes"]),
        (restart_engine, ["while it reads"]),
    ],
)
async def test_whatever_is_killed_exactly_what_ran_runs(own_host, services, kill, moments):
    start(own_host, services)
    for moment in moments:
        job = await send(own_host, services, HOOKS, run=moment.replace(" ", "-"))
        watched = Watched(own_host, services, job)
        await asyncio.to_thread(watched.until, moment)
        await asyncio.to_thread(kill, own_host, services, watched)
        condition, _, result, _ = await own_host.finished(job, seconds=180)
        assert (condition, result["outcome"]) == ("Complete", "Succeeded"), (moment, result["message"])
        await own_host.cleared(job)
        assert services.states() == RUNNING, moment


async def claimed(watched):
    return all(each.folder.plan() for each in watched)


async def test_two_jobs_that_stop_one_service_take_turns(own_host, services):
    start(own_host, services, max_jobs=2)
    hooks = [{"stop": [of("web")]}, {"stop": [{"name": "shop-web"}], "pause": [of("cache")]}]
    jobs = [
        await send(own_host, services, each, run=f"run-{number}", policy=f"shop-{number}")
        for number, each in enumerate(hooks)
    ]
    watched = [Watched(own_host, services, job) for job in jobs]
    together = []

    def watch():
        while any(each.folder.plan() for each in watched):
            counts = [len(each.entries()) for each in watched]
            together.append(all(counts))

    await until(lambda: claimed(watched), "both Jobs are claimed")
    await asyncio.to_thread(watch)
    for job in jobs:
        condition, _, result, _ = await own_host.finished(job, seconds=180)
        assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    assert [each.most for each in watched] == [1, 2]
    assert not any(together)
    assert services.states() == RUNNING


async def test_while_the_engine_is_away_the_result_is_told_and_services_run_when_it_is_back(
    own_host, services
):
    timing = dataclasses.replace(TIMING, undo_seconds=0.5)
    start(own_host, services, timing=timing)
    job = await send(own_host, services, HOOKS, backoffLimit=0)
    watched = Watched(own_host, services, job)
    await asyncio.to_thread(watched.until, "while it reads")
    await asyncio.to_thread(services.engine.kill)
    condition, _, result, _ = await own_host.finished(job, seconds=180)
    assert (condition, result["reason"]) == ("Failed", "EngineUnreachable")
    assert "still to be undone on the host" in result["message"]
    own_host.kill()
    start(own_host, services, timing=timing)
    await asyncio.to_thread(services.engine.start)
    await own_host.cleared(job)
    assert services.states() == RUNNING


async def test_commands_that_a_killed_worker_owes_are_run_by_the_agent(own_host, services):
    start(own_host, services)
    hooks = {"stop": [of("web")], "after": [say("after", "cache")], "onFailure": [say("failed", "web")]}
    job = await send(own_host, services, hooks, backoffLimit=0)
    watched = Watched(own_host, services, job)
    await asyncio.to_thread(watched.until, "after a stop")
    kill_worker(own_host, services, watched)
    condition, _, result, _ = await own_host.finished(job, seconds=180)
    assert (condition, result["reason"]) == ("Failed", "WorkerLost")
    assert services.said() == ["failed", "after"]
    assert services.states() == RUNNING


async def test_a_job_deleted_while_services_are_stopped_leaves_them_running(own_host, services):
    start(own_host, services)
    job = await send(own_host, services, HOOKS)
    watched = Watched(own_host, services, job)
    await asyncio.to_thread(watched.until, "after a stop")
    await own_host.client.delete(JOBS, own_host.namespace, job["metadata"]["name"])
    await own_host.cleared(job)
    assert services.states() == RUNNING


async def test_a_service_that_does_not_start_again_is_told_and_tried_on(own_host, services):
    published = "--publish=127.0.0.1:41874:80"
    services.compose("proxy", published)
    start(own_host, services, timing=dataclasses.replace(TIMING, undo_seconds=0.5))
    job = await send(own_host, services, {"stop": [of("proxy")]}, backoffLimit=0)
    watched = Watched(own_host, services, job)
    await asyncio.to_thread(watched.until, "after a stop")
    services.run("squatter", published)
    condition, _, result, _ = await own_host.finished(job, seconds=180)
    assert (condition, result["reason"]) == ("Failed", "HookFailed")
    assert "still to be undone on the host: container shop-proxy cannot be started" in result["message"]
    services.engine.docker("rm", "--force", "squatter")
    await own_host.cleared(job)
    assert services.states() == RUNNING | {"shop-proxy": "running"}
