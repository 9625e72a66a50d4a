"""What the operator knows of the world: the newest version of every object, small, and whom a change concerns.

Built from listings and watch events in any order: an older resourceVersion never replaces a newer one. It may be behind;
whoever creates from it relies on deterministic names. Read from other threads by copies only (metrics).
"""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import TypeVar

from strongroom.api.errors import StrongroomError, excerpt
from strongroom.api.resources import (
    BackupPolicy,
    BackupRun,
    BackupStore,
    DockerHost,
    parse_host,
    parse_policy,
    parse_run,
    parse_store,
)
from strongroom.controllers.contacts import Contacts
from strongroom.controllers.keys import Key, key_of
from strongroom.controllers.tally import Tally
from strongroom.controllers.targetindex import TargetIndex
from strongroom.domain.jobstates import JobState, parse_job
from strongroom.domain.names import job_name
from strongroom.domain.policies import Surroundings, host_identity, is_ready, resolve_host
from strongroom.domain.runrecords import RunRecord, record_run
from strongroom.domain.targets import Target, find_targets, overlap
from strongroom.kube.client import Object
from strongroom.kube.kinds import HOSTS, JOBS, POLICIES, RESTORES, RUNS, STORES, ApiKind

Name = tuple[str, str]
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Faulty:
    """An object that does not parse: kept as it is, with what is wrong."""

    body: Object
    error: StrongroomError

    def __str__(self) -> str:
        """What is wrong, with the way out."""
        return f"{excerpt(str(self.error), 700)}. {self.error.reason.hint}"


class Observed:
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
        self.faulty: dict[Key, Faulty] = {}
        self.contacts = Contacts()
        self.tally = Tally()
        self._targets = TargetIndex()
        self._runs_of: dict[Name, dict[str, RunRecord]] = {}
        self._versions: dict[Key, int] = {}
        self._gone: dict[Key, int] = {}
        self._remember: dict[ApiKind, Callable[[Key, Object], list[Key]]] = {
            POLICIES: self._remember_policy,
            RUNS: self._remember_run,
            STORES: self._remember_store,
            HOSTS: self._remember_host,
            RESTORES: self._remember_restore,
            JOBS: self._remember_job,
        }
        self._drop: dict[ApiKind, Callable[[Name], list[Key]]] = {
            POLICIES: self._drop_policy,
            RUNS: self._drop_run,
            STORES: self._drop_store,
            HOSTS: self._drop_host,
            RESTORES: self._drop_restore,
            JOBS: self._drop_job,
        }

    # -- taking in: both return what must be reconciled because of it -----------------------------------------------

    def apply(self, kind: ApiKind, type_: str | None, body: Object) -> list[Key]:
        """Take in one object, or (type DELETED) its end."""
        key = key_of(kind, body)
        version = int(body["metadata"]["resourceVersion"])
        if type_ == "DELETED":
            return self._forget(key, version)
        if version <= max(self._versions.get(key, 0), self._gone.get(key, 0)):
            return []
        self._versions[key] = version
        return self._remember[kind](key, body)

    def retain(self, kind: ApiKind, present: Container[Key], version: int) -> list[Key]:
        """After a whole listing of that version was taken in: what it lacked and is not newer has gone."""
        touched: list[Key] = []
        known = [(key, at) for key, at in self._versions.items() if key.kind == kind]
        for key, at in known:
            if key not in present and at <= version:
                touched += self._forget(key, version)
        self._gone = {key: at for key, at in self._gone.items() if key.kind != kind or at > version}
        return touched

    def _forget(self, key: Key, version: int) -> list[Key]:
        if version < self._versions.get(key, 0):
            return []
        self._gone[key] = max(version, self._gone.get(key, 0))
        if self._versions.pop(key, None) is None:
            return []
        self.faulty.pop(key, None)
        return [key, *self._drop[key.kind]((key.namespace, key.name))]

    def _parse(self, key: Key, parse: Callable[[Object], Parsed], body: Object) -> Parsed | None:
        try:
            parsed = parse(body)
        except StrongroomError as error:
            self.faulty[key] = Faulty(body, error)
            return None
        self.faulty.pop(key, None)
        return parsed

    def _remember_policy(self, key: Key, body: Object) -> list[Key]:
        name = (key.namespace, key.name)
        before, after = self.policies.get(name), self._parse(key, parse_policy, body)
        if after is None:
            return [key, *self._drop_policy(name)]
        self.policies[name] = after
        if before is not None and before.spec == after.spec and before.meta.uid == after.meta.uid:
            return [key]  # a new status concerns nobody else
        return [key, *self._around_policy(name)]

    def _drop_policy(self, name: Name) -> list[Key]:
        self.policies.pop(name, None)
        return self._around_policy(name)

    def _around_policy(self, name: Name) -> list[Key]:
        return [*self._index_targets(name), *self._active_runs_of(name), *self._all_stores(name[0])]

    def _remember_run(self, key: Key, body: Object) -> list[Key]:
        name = (key.namespace, key.name)
        run = self._parse(key, parse_run, body)
        if run is None:
            return [key, *self._drop_run(name)]
        before, record = self.runs.get(name), record_run(run)
        self.runs[name] = record
        self._runs_of.setdefault((key.namespace, record.policy), {})[key.name] = record
        if record.is_terminal:
            self.active_runs.pop(name, None)
            self.tally.count(record)
        else:
            self.active_runs[name] = body
        held = before is not None and before.holds_artifacts
        stores = _stores_of(record) if record.holds_artifacts != held else []
        return [key, Key(POLICIES, key.namespace, record.policy), *stores]

    def _drop_run(self, name: Name) -> list[Key]:
        self.active_runs.pop(name, None)
        record = self.runs.pop(name, None)
        if record is None:
            return []
        self.tally.forget(record)
        siblings = self._runs_of[name[0], record.policy]
        del siblings[name[1]]
        if not siblings:
            del self._runs_of[name[0], record.policy]
        stores = _stores_of(record) if record.holds_artifacts else []
        return [Key(POLICIES, name[0], record.policy), *stores]

    def _remember_store(self, key: Key, body: Object) -> list[Key]:
        name = (key.namespace, key.name)
        before, after = self.stores.get(name), self._parse(key, parse_store, body)
        if after is None:
            return [key, *self._drop_store(name)]
        self.stores[name] = after
        if (
            before is not None
            and before.spec == after.spec
            and before.status.conditions == after.status.conditions
        ):
            return [key]
        return [key, *self._using_store(name)]

    def _drop_store(self, name: Name) -> list[Key]:
        self.stores.pop(name, None)
        self.contacts.forget(name)
        return self._using_store(name)

    def _remember_host(self, key: Key, body: Object) -> list[Key]:
        name = (key.namespace, key.name)
        before, after = self.hosts.get(name), self._parse(key, parse_host, body)
        if after is None:
            return [key, *self._drop_host(name)]
        self.hosts[name] = after
        if before is not None and before.spec == after.spec and is_ready(before) == is_ready(after):
            return [key]  # a heartbeat concerns nobody else
        return [key, *self._naming_host(key.name)]

    def _drop_host(self, name: Name) -> list[Key]:
        self.hosts.pop(name, None)
        return self._naming_host(name[1])

    def _remember_restore(self, key: Key, body: Object) -> list[Key]:
        self.restores[key.namespace, key.name] = body
        return [key]

    def _drop_restore(self, name: Name) -> list[Key]:
        self.restores.pop(name, None)
        return []

    def _remember_job(self, key: Key, body: Object) -> list[Key]:
        name = (key.namespace, key.name)
        before, job = self.jobs.get(name), parse_job(body)
        self.jobs[name] = job
        touched = self._owner_of(job)
        if job.ending is not None and (before is None or before.ending is None):
            named = ((store.name, self.stores.get((key.namespace, store.name))) for store in job.stores)
            stores = {name: store for name, store in named if store is not None}
            touched += [Key(STORES, *store) for store in self.contacts.hear(job, stores)]
            touched += self._waiting_runs()
        return touched

    def _drop_job(self, name: Name) -> list[Key]:
        job = self.jobs.pop(name, None)
        return [] if job is None else [*self._owner_of(job), *self._waiting_runs()]

    # -- asking -----------------------------------------------------------------------------------------------------

    def runs_of(self, policy: Name) -> list[RunRecord]:
        """All runs of a policy."""
        return list(self._runs_of.get(policy, {}).values())

    def runs_in(self, namespace: str) -> list[RunRecord]:
        """All runs of a namespace."""
        return [record for (where, _), record in self.runs.items() if where == namespace]

    def surroundings(self, policy: BackupPolicy) -> Surroundings:
        """What the policy refers to, as far as it is known."""
        namespace = policy.meta.namespace
        stores = {name: self.stores.get((namespace, name)) for name in policy.spec.stores}
        faults = {name: self.faulty.get(Key(STORES, namespace, name)) for name in policy.spec.stores}
        return Surroundings(
            stores={name: store for name, store in stores.items() if store is not None},
            invalid_stores={name: str(fault) for name, fault in faults.items() if fault is not None},
            host=self.host_of(policy),
        )

    def host_of(self, policy: BackupPolicy) -> DockerHost | None:
        """The DockerHost that a policy's Jobs go to."""
        if policy.spec.host is None:
            return None
        return resolve_host(policy.spec.host, policy.meta.namespace, self.hosts.values())

    def job_of(self, run: BackupRun) -> JobState | None:
        """The Job of a run."""
        return self.jobs.get((run.meta.namespace, job_name(run.meta.name, run.meta.uid)))

    def sharing(self, policy: Name) -> list[str]:
        """Other policies that touch a target of this one, as people name them."""
        others = sorted(self._targets.sharing(policy))
        return [other[1] if other[0] == policy[0] else "/".join(other) for other in others]

    def working_on(self, targets: tuple[Target, ...], job: Name) -> str | None:
        """The run whose Job, other than this one, works on one of the targets; None when all are free."""
        for name, other in self.jobs.items():
            if (
                name != job
                and other.ending is None
                and other.run
                and overlap(targets, other.targets) is not None
            ):
                return other.run
        return None

    def policies_using_store(self, store: Name) -> Iterator[BackupPolicy]:
        """Policies of the store's namespace that write to it."""
        for (namespace, _), policy in self.policies.items():
            if namespace == store[0] and store[1] in policy.spec.stores:
                yield policy

    def everything(self) -> list[Key]:
        """Every object about which something may be left to do."""
        known = (
            (HOSTS, self.hosts),
            (STORES, self.stores),
            (RESTORES, self.restores),
            (POLICIES, self.policies),
        )
        keys = [Key(kind, *name) for kind, names in known for name in names]
        keys += [owner for job in self.jobs.values() for owner in self._owner_of(job)]
        done = {
            name for name, run in self.runs.items() if run.is_terminal and run.is_labelled and run.is_owned
        }
        return [*keys, *(Key(RUNS, *name) for name in self.runs if name not in done), *self.faulty]

    # -- whom a change concerns -------------------------------------------------------------------------------------

    def _index_targets(self, name: Name) -> list[Key]:
        policy = self.policies.get(name)
        targets: tuple[Target, ...] = ()
        if policy is not None:
            targets = find_targets(policy.spec.sources, host_identity(policy, self.host_of(policy)))
        return [Key(POLICIES, *other) for other in sorted(self._targets.put(name, targets))]

    def _active_runs_of(self, policy: Name) -> list[Key]:
        return [Key(RUNS, policy[0], run.name) for run in self.runs_of(policy) if not run.is_terminal]

    def _waiting_runs(self) -> list[Key]:
        """Runs that wait, for instance for a target; the oldest first."""
        waiting = [record for name in self.active_runs if (record := self.runs[name]).phase == "Pending"]
        waiting.sort(key=lambda record: (record.moment, record.name))
        return [Key(RUNS, record.namespace, record.name) for record in waiting]

    def _all_stores(self, namespace: str) -> list[Key]:
        return [Key(STORES, *name) for name in self.stores if name[0] == namespace]

    def _using_store(self, store: Name) -> list[Key]:
        names = [policy.key for policy in self.policies_using_store(store)]
        runs = [run for name in names for run in self._active_runs_of(name)]
        return [*(Key(POLICIES, *name) for name in names), *runs]

    def _naming_host(self, host: str) -> list[Key]:
        names = [name for name, policy in self.policies.items() if policy.spec.host == host]
        shared = [key for name in names for key in self._index_targets(name)]
        runs = [run for name in names for run in self._active_runs_of(name)]
        return [
            *(Key(POLICIES, *name) for name in names),
            *shared,
            *runs,
            *(Key(STORES, *s) for s in self.stores),
        ]

    def _owner_of(self, job: JobState) -> list[Key]:
        """The run or store that a Job was made for, by its owner reference: labels may be cut."""
        kinds = {RUNS.kind: RUNS, STORES.kind: STORES}
        return [
            Key(kinds[owner.kind], job.meta.namespace, owner.name)
            for owner in job.meta.owner_references
            if owner.controller and owner.kind in kinds
        ]


def _stores_of(record: RunRecord) -> list[Key]:
    """The stores with a copy of what a run made: they count it."""
    return [Key(STORES, record.namespace, store) for store in record.good_stores]
