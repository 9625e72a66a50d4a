"""Taking in: objects from listings and watch events in any order, and what must be reconciled because of each.

An older resourceVersion never replaces a newer one.
"""

from collections.abc import Callable, Container
from typing import TypeVar

from strongroom.api.errors import StrongroomError
from strongroom.api.resources import DockerHost, parse_host, parse_policy, parse_run, parse_store
from strongroom.controllers import concerns
from strongroom.controllers.contacts import Contacts
from strongroom.controllers.keys import Key, key_of
from strongroom.controllers.objects import Faulty, Name, Objects
from strongroom.controllers.tally import Tally
from strongroom.controllers.turns import Turns
from strongroom.domain.hosts import find_engine_trouble
from strongroom.domain.jobstates import parse_job
from strongroom.domain.podstates import parse_pod
from strongroom.domain.runrecords import record_run
from strongroom.domain.sites import is_ready
from strongroom.kube.client import Object
from strongroom.kube.kinds import HOSTS, JOBS, PODS, POLICIES, RESTORES, RUNS, STORES, ApiKind

Parsed = TypeVar("Parsed")


class Observed(Objects):
    """All objects, as they come in. `apply` and `retain` return what must be reconciled because of it."""

    def __init__(self) -> None:
        """Nothing is known."""
        super().__init__()
        self.contacts = Contacts()
        self.tally = Tally()
        self.turns = Turns(self)
        self._versions: dict[Key, int] = {}
        self._gone: dict[Key, int] = {}
        self._remember: dict[ApiKind, Callable[[Key, Object], list[Key]]] = {
            POLICIES: self._remember_policy,
            RUNS: self._remember_run,
            STORES: self._remember_store,
            HOSTS: self._remember_host,
            RESTORES: self._remember_restore,
            JOBS: self._remember_job,
            PODS: self._remember_pod,
        }
        self._drop: dict[ApiKind, Callable[[Name], list[Key]]] = {
            POLICIES: self._drop_policy,
            RUNS: self._drop_run,
            STORES: self._drop_store,
            HOSTS: self._drop_host,
            RESTORES: self._drop_restore,
            JOBS: self._drop_job,
            PODS: self._drop_pod,
        }

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
        hosts = [after.spec.host, before.spec.host if before is not None else None]
        return [key, *self.turns.reckon([name]), *concerns.around_policy(self, name, hosts)]

    def _drop_policy(self, name: Name) -> list[Key]:
        before = self.policies.pop(name, None)
        hosts = [] if before is None else [before.spec.host]
        return [*self.turns.reckon([name]), *concerns.around_policy(self, name, hosts)]

    def _remember_run(self, key: Key, body: Object) -> list[Key]:
        name = (key.namespace, key.name)
        run = self._parse(key, parse_run, body)
        if run is None:
            return [key, *self._drop_run(name)]
        before, record = self.runs.get(name), record_run(run)
        self.put_run(record)
        if record.is_terminal:
            self.active_runs.pop(name, None)
            self.tally.count(record)
        else:
            self.active_runs[name] = body
        requests = concerns.open_requests(self) if record.reason == "Safety" else ()
        counting = concerns.counting(before, record)
        return [key, Key(POLICIES, key.namespace, record.policy), *counting, *requests]

    def _drop_run(self, name: Name) -> list[Key]:
        record = self.pop_run(name)
        if record is None:
            return []
        self.tally.forget(record)
        return [Key(POLICIES, name[0], record.policy), *concerns.counting(record, None)]

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
        is_moved = before is None or before.spec != after.spec
        touched = [*concerns.judged_by(self, name), *concerns.beside_store(self, name)] if is_moved else []
        return [key, *touched, *concerns.using_store(self, name)]

    def _drop_store(self, name: Name) -> list[Key]:
        self.stores.pop(name, None)
        self.contacts.forget(name)
        beside = concerns.beside_store(self, name)
        return [*concerns.judged_by(self, name), *beside, *concerns.using_store(self, name)]

    def _remember_host(self, key: Key, body: Object) -> list[Key]:
        name = (key.namespace, key.name)
        before, after = self.hosts.get(name), self._parse(key, parse_host, body)
        if after is None:
            return [key, *self._drop_host(name)]
        self.hosts[name] = after
        if before is not None and _bearing(before) == _bearing(after):
            return [key]  # a heartbeat concerns nobody else
        return [key, *self._around_host(key.name)]

    def _drop_host(self, name: Name) -> list[Key]:
        self.hosts.pop(name, None)
        return self._around_host(name[1])

    def _around_host(self, host: str) -> list[Key]:
        shared = self.turns.reckon(concerns.policies_naming(self, host))
        return [*shared, *concerns.naming_host(self, host)]

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
        touched = [*concerns.owner_of(job), *concerns.in_the_way_of(self, job), *concerns.followed(job)]
        if job.ending is not None and (before is None or before.ending is None):
            named = ((store.name, self.stores.get((key.namespace, store.name))) for store in job.stores)
            stores = {name: store for name, store in named if store is not None}
            touched += [Key(STORES, *store) for store in self.contacts.hear(job, stores)]
            touched += concerns.waiting(self)
        return touched

    def _drop_job(self, name: Name) -> list[Key]:
        job = self.jobs.pop(name, None)
        if job is None:
            return []
        return [*concerns.owner_of(job), *concerns.copied_for(job), *concerns.waiting(self)]

    def _remember_pod(self, key: Key, body: Object) -> list[Key]:
        pod = parse_pod(body)
        self.pods[key.namespace, key.name] = pod
        return [Key(JOBS, key.namespace, pod.job)] if pod.job is not None else []

    def _drop_pod(self, name: Name) -> list[Key]:
        pod = self.pods.pop(name, None)
        return [Key(JOBS, name[0], pod.job)] if pod is not None and pod.job is not None else []


def _bearing(host: DockerHost) -> tuple[object, ...]:
    """What of a host bears on others than itself."""
    return host.spec, is_ready(host), find_engine_trouble(host), host.status.databases
