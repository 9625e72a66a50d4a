"""What there is: the newest version of every object that the operator has seen, small, and what each refers to.

It may be behind; whoever creates from it relies on deterministic names. Read from other threads by copies only (metrics).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.errors import StrongroomError, excerpt
from strongroom.api.jobsettings import JobSettings
from strongroom.api.resources import BackupPolicy, BackupRun, BackupStore, DockerHost
from strongroom.controllers.keys import Key
from strongroom.domain.jobstates import JobState
from strongroom.domain.names import job_name
from strongroom.domain.podstates import PodState
from strongroom.domain.policies import Surroundings, resolve_host
from strongroom.domain.runrecords import RunRecord
from strongroom.domain.sites import Cluster, Site, is_ready
from strongroom.kube.client import Object
from strongroom.kube.kinds import STORES

Name = tuple[str, str]


@dataclass(frozen=True)
class Faulty:
    """An object that does not parse: kept as it is, with what is wrong."""

    body: Object
    error: StrongroomError

    def __str__(self) -> str:
        """What is wrong, with the way out."""
        return f"{excerpt(str(self.error), 700)}. {self.error.reason.hint}"


class Objects:
    """All objects, by namespace and name."""

    def __init__(self) -> None:
        """Nothing is known."""
        self.policies: dict[Name, BackupPolicy] = {}
        self.runs: dict[Name, RunRecord] = {}
        self.active_runs: dict[Name, Object] = {}
        """Runs that are not terminal, whole."""
        self.stores: dict[Name, BackupStore] = {}
        self.hosts: dict[Name, DockerHost] = {}
        self.restores: dict[Name, Object] = {}
        self.jobs: dict[Name, JobState] = {}
        self.pods: dict[Name, PodState] = {}
        """Of our Jobs, where a cluster runs them."""
        self.pod_defaults: JobSettings | None = None
        """Of the cluster's pods; None where the API server runs none."""
        self.reach: tuple[str, ...] = ()
        """Networks that health checks of such pods may fetch from."""
        self.faulty: dict[Key, Faulty] = {}
        self._runs_of: dict[Name, dict[str, RunRecord]] = {}

    def put_run(self, record: RunRecord) -> None:
        """Note a run, also under its policy."""
        self.runs[record.namespace, record.name] = record
        self._runs_of.setdefault((record.namespace, record.policy), {})[record.name] = record

    def pop_run(self, name: Name) -> RunRecord | None:
        """Forget a run; returns what was known of it."""
        self.active_runs.pop(name, None)
        record = self.runs.pop(name, None)
        if record is not None:
            siblings = self._runs_of[name[0], record.policy]
            del siblings[name[1]]
            if not siblings:
                del self._runs_of[name[0], record.policy]
        return record

    def runs_of(self, policy: Name) -> list[RunRecord]:
        """All runs of a policy."""
        return list(self._runs_of.get(policy, {}).values())

    def runs_in(self, namespace: str) -> list[RunRecord]:
        """All runs of a namespace."""
        return [record for (where, _), record in self.runs.items() if where == namespace]

    def job_of(self, run: BackupRun) -> JobState | None:
        """The Job of a run."""
        return self.jobs.get((run.meta.namespace, job_name(run.meta.name, run.meta.uid)))

    def catch_ups_of(self, policy: Name) -> list[JobState]:
        """Jobs that copy what runs of a policy lack; an ended one is there until it is written down."""
        return [
            job
            for job in self.jobs.values()
            if job.catch_up is not None and (job.meta.namespace, job.catch_up.policy) == policy
        ]

    def drills_of(self, policy: Name) -> list[JobState]:
        """Jobs that drill a policy's backups."""
        return [
            job
            for job in self.jobs.values()
            if job.drilled is not None and (job.meta.namespace, job.drilled) == policy
        ]

    def restored_runs_in(self, namespace: str) -> set[str]:
        """Runs whose backups are being restored or drilled, or are to be."""
        planned = [
            ((body.get("status") or {}).get("plan") or {}).get("run")
            for (where, _), body in self.restores.items()
            if where == namespace and (body.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]
        pending = [
            policy.status.pending_drill.run
            for (where, _), policy in self.policies.items()
            if where == namespace and policy.status.pending_drill is not None
        ]
        return {name for name in (*planned, *pending) if name is not None}

    def store_specs(self, namespace: str) -> dict[str, BackupStoreSpec]:
        """The stores of a namespace, by name."""
        return {name: store.spec for (where, name), store in self.stores.items() if where == namespace}

    def surroundings(self, policy: BackupPolicy) -> Surroundings:
        """What the policy refers to, as far as it is known."""
        namespace = policy.meta.namespace
        stores = {name: self.stores.get((namespace, name)) for name in policy.spec.stores}
        faults = {name: self.faulty.get(Key(STORES, namespace, name)) for name in policy.spec.stores}
        return Surroundings(
            stores={name: store for name, store in stores.items() if store is not None},
            invalid_stores={name: str(fault) for name, fault in faults.items() if fault is not None},
            site=self.site_of(policy),
            runs_pods=self.pod_defaults is not None,
        )

    def host_of(self, policy: BackupPolicy) -> DockerHost | None:
        """The DockerHost that a policy's Jobs go to."""
        if policy.spec.host is None:
            return None
        return resolve_host(policy.spec.host, policy.meta.namespace, self.hosts.values())

    def cluster(self, namespace: str) -> Cluster | None:
        """The cluster, as far as it runs pods."""
        return None if self.pod_defaults is None else Cluster(namespace, self.pod_defaults, reach=self.reach)

    def site_of(self, policy: BackupPolicy) -> Site | None:
        """Where a policy's Jobs run; None if that is nowhere."""
        return self.cluster(policy.meta.namespace) if policy.spec.host is None else self.host_of(policy)

    def is_alive(self, job: JobState) -> bool:
        """Whether what runs a Job was alive when last looked: the agent of its host. The cluster always is."""
        host = None if job.host is None else self.hosts.get(job.host)
        return job.is_clusters or (host is not None and is_ready(host))

    def pods_of(self, job: JobState) -> list[PodState]:
        """The pods of a Job."""
        return [
            pod
            for (namespace, _), pod in self.pods.items()
            if (namespace, pod.job) == (job.meta.namespace, job.meta.name)
        ]

    def policies_using_store(self, store: Name) -> Iterator[BackupPolicy]:
        """Policies of the store's namespace that write to it."""
        for (namespace, _), policy in self.policies.items():
            if namespace == store[0] and store[1] in policy.spec.stores:
                yield policy

    def policies_on_host(self, host: DockerHost) -> Iterator[BackupPolicy]:
        """Policies of any namespace whose Jobs go to the host."""
        for policy in self.policies.values():
            if policy.spec.host == host.meta.name and self.host_of(policy) is host:
                yield policy
