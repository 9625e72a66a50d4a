"""One Docker host of the tests: its agent as a child process, its worker, and the Jobs that are sent to it."""

import asyncio
import base64
import copy
import itertools
import json
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.integration.agent.agent_process import AgentProcess
from tests.integration.embedded import until

from strongroom.agent.allowances import Allowances
from strongroom.agent.processes import identify
from strongroom.agent.settings import AgentSettings, Timing
from strongroom.api.labels import (
    AGENT_MANAGER,
    HOST_LABEL,
    HOST_NAMESPACE_LABEL,
    RESULT_ANNOTATION,
    WORK_ORDER_ANNOTATION,
)
from strongroom.kube.kinds import JOBS, NAMESPACES, SECRETS

HERE = Path(__file__).parent
_numbers = itertools.count()
TIMING = Timing(
    lease_seconds=3,
    renew_seconds=0.4,
    heartbeat_seconds=2,
    engine_seconds=0.5,
    progress_seconds=0.2,
    pass_seconds=1,
    kill_grace_seconds=0.5,
    retry_seconds=0.2,
    longest_api_pause_seconds=0.5,
)


class Host:
    """A namespace with one DockerHost."""

    def __init__(self, api, folder):
        self.api = api
        self.client = None
        self.name = "web-1"
        self.image = "x"
        self.settings = {}
        self.namespace = f"agent-{secrets.token_hex(4)}"
        self.notes = folder / "notes"
        self.state = folder / "state"
        self.log = folder / "agent.log"
        self.notes.mkdir()
        self._process = None

    def twin(self, folder=None):
        """Another agent for this very host; with its own state if a folder is given."""
        other = copy.copy(self)
        other._process = None
        other.log = self.log.with_name("twin.log")
        other.state = folder or self.state
        return other

    def has_said(self, words):
        return self.log.exists() and words in self.log.read_text()

    @property
    def is_running(self):
        return self._process is not None and self._process.is_running

    async def create(self):
        await self.client.create(NAMESPACES, None, {"metadata": {"name": self.namespace}})
        await self.add_secret("pg", password="pg-canary-8471")

    async def add_secret(self, name, **data):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        await self.client.create(SECRETS, self.namespace, {"metadata": {"name": name}, "data": encoded})

    def start(self, **more):
        settings = AgentSettings(
            **{
                "kubeconfig": self.api.agent,
                "host_name": self.name,
                "namespace": self.namespace,
                "state_dir": self.state,
                "worker_command": (sys.executable, str(HERE / "fake_worker.py"), str(self.notes)),
                "timing": TIMING,
                "engine_url": "unix:///nonexistent/docker.sock",
                "allowed": Allowances(stores=("/nowhere", tempfile.gettempdir())),
            }
            | more
        )
        self._process = AgentProcess(settings, self.log)

    def kill(self):
        self._process.kill()

    async def stop(self):
        """SIGTERM; the exit code."""
        self._process.terminate()
        return await self.ended()

    async def ended(self):
        return await asyncio.to_thread(self._process.wait, 20)

    def clean_up(self):
        if self.is_running:
            self.kill()
        for file in (f for f in self.notes.iterdir() if not f.suffix or f.suffix == ".child"):
            for pid in file.read_text().split():
                end_leftover(int(pid), self.notes)

    # What the agent and the workers left behind

    def starts(self, job):
        """The pids of the Job's workers, in order."""
        file = self.notes / job["metadata"]["uid_of_run"]
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []

    def child(self, job):
        file = self.notes / f"{job['metadata']['uid_of_run']}.child"
        return int(file.read_text()) if file.exists() and file.read_text() else None

    def go(self, job):
        (self.notes / f"{job['metadata']['uid_of_run']}.go").touch()

    def folders(self):
        return sorted(entry.name for entry in (self.state / "jobs").iterdir())

    # Jobs

    async def send(
        self, behaviour, *, namespace=None, order=None, secret=("pg", "password"), metadata=None, **spec
    ):
        """A Job for this host whose worker behaves as told."""
        namespace = namespace or self.namespace
        run_uid = secrets.token_hex(8)
        order = order or json.dumps(work_order(behaviour, namespace, run_uid, secret))
        body = {
            "metadata": {
                "name": f"job-{next(_numbers):04}-{behaviour}",
                "labels": {HOST_LABEL: self.name, HOST_NAMESPACE_LABEL: self.namespace},
                **(metadata or {}),
            },
            "spec": {
                "managedBy": AGENT_MANAGER,
                "backoffLimit": 1,
                "activeDeadlineSeconds": 300,
                "template": {
                    "metadata": {
                        "annotations": {WORK_ORDER_ANNOTATION: order},
                    },
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "worker", "image": self.image}],
                    },
                },
                **spec,
            },
        }
        job = await self.client.create(JOBS, namespace, body)
        job["metadata"]["uid_of_run"] = run_uid
        return job

    async def look(self, job):
        return await self.client.get(JOBS, job["metadata"]["namespace"], job["metadata"]["name"])

    async def finished(self, job, *, seconds=120):
        """The Job once it is Complete or Failed, as (condition, its reason, result, the Job)."""

        async def end():
            found = await self.look(job)
            conditions = found.get("status", {}).get("conditions", [])
            return [(c, found) for c in conditions if c["type"] in ("Complete", "Failed")]

        ((condition, found),) = await until(end, f"{job['metadata']['name']} is over", seconds=seconds)
        result = json.loads(found["metadata"]["annotations"][RESULT_ANNOTATION])
        return condition["type"], condition["reason"], result, found

    async def started(self, job, count=1):
        """The pids once that many workers have been started."""

        async def pids():
            found = self.starts(job)
            return found if len(found) >= count else None

        return await until(pids, f"{job['metadata']['name']} has {count} workers")

    async def cleared(self, job):
        """Nothing is left of the Job on the disk."""

        async def removed():
            return job["metadata"]["uid"] not in self.folders()

        await until(removed, f"the folder of {job['metadata']['name']} is removed")


async def gone(pid):
    async def ended():
        return identify(pid) is None

    await until(ended, f"process {pid} is gone")


def end_leftover(pid, notes):
    """Kill a process if it is a worker of these notes or a child of one (another may have its number by now)."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return
    if str(notes).encode() in command or command[:2] == [b"sleep", b"600"]:
        os.kill(pid, signal.SIGKILL)


def work_order(policy, namespace, run_uid, secret):
    return {
        "kind": "Backup",
        "namespace": namespace,
        "runUid": run_uid,
        "deadlineSeconds": 300,
        "stores": [{"name": "local", "spec": {"local": {"path": "/nowhere"}}}],
        "backup": {
            "policy": policy,
            "policyUid": "p",
            "run": "run-1",
            "reason": "Manual",
            "slot": "2026-11-22T02:00:00Z",
            "sources": [
                {
                    "name": "db",
                    "postgres": {
                        "host": "localhost",
                        "user": "app",
                        "databases": ["app"],
                        "passwordSecret": {"name": secret[0], "key": secret[1]},
                    },
                }
            ],
            "compression": {},
            "verification": "Full",
            "minSizePercent": 0,
            "retention": {"keepLast": 3},
            "timeZone": "UTC",
        },
    }
