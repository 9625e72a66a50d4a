"""Whom does a change concern? The keys that must be reconciled because another object came, changed or went."""

from collections.abc import Iterable, Iterator

from strongroom.controllers.keys import Key
from strongroom.controllers.objects import Name, Objects
from strongroom.domain.jobstates import JobState
from strongroom.domain.runrecords import RunRecord
from strongroom.kube.kinds import HOSTS, JOBS, POLICIES, RESTORES, RUNS, STORES


def around_policy(objects: Objects, name: Name, hosts: Iterable[str | None]) -> Iterator[Key]:
    """A policy's runs and stores, and the hosts that it names or named: they tell what is backed up there."""
    yield from active_runs_of(objects, name)
    yield from (Key(STORES, *store) for store in objects.stores if store[0] == name[0])
    yield from open_requests(objects)
    named = set(hosts) - {None}
    yield from (Key(HOSTS, *host) for host in objects.hosts if host[1] in named)


def active_runs_of(objects: Objects, policy: Name) -> list[Key]:
    """A policy's runs that are not terminal."""
    return [Key(RUNS, policy[0], run.name) for run in objects.runs_of(policy) if not run.is_terminal]


def waiting(objects: Objects) -> list[Key]:
    """Runs and requests that wait, for instance for a target; of runs the oldest first."""
    runs = [record for name in objects.active_runs if (record := objects.runs[name]).phase == "Pending"]
    runs.sort(key=lambda record: (record.moment, record.name))
    return [*(Key(RUNS, record.namespace, record.name) for record in runs), *open_requests(objects)]


def open_requests(objects: Objects) -> Iterator[Key]:
    """Requests that have not ended. They are few, and what they wait for may be anything around them."""
    for name, body in objects.restores.items():
        if (body.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            yield Key(RESTORES, *name)


def using_store(objects: Objects, store: Name) -> Iterator[Key]:
    """Policies that write to a store, with their runs and hosts."""
    for policy in objects.policies_using_store(store):
        yield Key(POLICIES, *policy.key)
        yield from active_runs_of(objects, policy.key)
        yield from (Key(HOSTS, *host) for host in objects.hosts if host[1] == policy.spec.host)
    yield from open_requests(objects)


def beside_store(objects: Objects, store: Name) -> Iterator[Key]:
    """The namespace's other stores: they may be the same place, or be so no more."""
    yield from (Key(STORES, *name) for name in objects.stores if name[0] == store[0] and name != store)


def judged_by(objects: Objects, store: Name) -> list[Key]:
    """Ended runs that have, or lack, a copy in a store: whether their copies satisfy 3-2-1 depends on it."""
    return [
        Key(RUNS, record.namespace, record.name)
        for record in objects.runs_in(store[0])
        if record.holds_artifacts
        and (store[1] in record.good_stores or any(lack.store == store[1] for lack in record.lacks))
    ]


def copied_for(job: JobState) -> list[Key]:
    """The policy whose copies a Job was to catch up: the next of them may have waited for its end."""
    return [] if job.catch_up is None else [Key(POLICIES, job.meta.namespace, job.catch_up.policy)]


def in_the_way_of(objects: Objects, job: JobState) -> list[Key]:
    """Runs whose copies are on their way on the host that a Job waits for."""
    if job.started is not None or job.host is None or job.catch_up is not None:
        return []
    return [
        key
        for other in objects.jobs.values()
        if other.host == job.host and other.catch_up is not None and other.ending is None
        for key in owner_of(other)
    ]


def naming_host(objects: Objects, host: str) -> Iterator[Key]:
    """Policies that name a host, with their runs; and all stores, which may be looked at from there."""
    for name in policies_naming(objects, host):
        yield Key(POLICIES, *name)
        yield from active_runs_of(objects, name)
    yield from (Key(STORES, *store) for store in objects.stores)
    yield from open_requests(objects)


def policies_naming(objects: Objects, host: str) -> list[Name]:
    """Policies that name a host, whether it serves them or not."""
    return [name for name, policy in objects.policies.items() if policy.spec.host == host]


def counting(before: RunRecord | None, after: RunRecord | None) -> list[Key]:
    """The stores that hold a copy of a run since, or no longer, its last change: they count it."""
    changed = _holders(before) ^ _holders(after)
    return [Key(STORES, *store) for store in sorted(changed)]


def _holders(record: RunRecord | None) -> set[Name]:
    if record is None or not record.holds_artifacts:
        return set()
    return {(record.namespace, store) for store in record.good_stores}


def owner_of(job: JobState) -> list[Key]:
    """The run, store, request or policy that a Job was made for, by its owner reference: labels may be cut."""
    kinds = {kind.kind: kind for kind in (RUNS, STORES, RESTORES, POLICIES)}
    return [
        Key(kinds[owner.kind], job.meta.namespace, owner.name)
        for owner in job.meta.owner_references
        if owner.controller and owner.kind in kinds
    ]


def followed(job: JobState) -> list[Key]:
    """A Job of the cluster itself: what its pods say is brought to it until it has ended."""
    is_followed = job.is_clusters and (job.ending is None or job.is_held)
    return [Key(JOBS, job.meta.namespace, job.meta.name)] if is_followed else []


def everything(objects: Objects) -> list[Key]:
    """Every object about which something may be left to do."""
    known = (
        (HOSTS, objects.hosts),
        (STORES, objects.stores),
        (RESTORES, objects.restores),
        (POLICIES, objects.policies),
    )
    keys = [Key(kind, *name) for kind, names in known for name in names]
    keys += [key for job in objects.jobs.values() for key in (*owner_of(job), *followed(job))]
    done = {
        name for name, run in objects.runs.items() if run.is_terminal and run.is_labelled and run.is_owned
    }
    return [*keys, *(Key(RUNS, *name) for name in objects.runs if name not in done), *objects.faulty]
