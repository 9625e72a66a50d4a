"""BackupStores: a status from what Jobs say, and a Job that asks when none has."""

from collections.abc import Collection
from datetime import datetime, timedelta

from strongroom.api.resources import BackupStore
from strongroom.controllers.catalogue import sync_catalogue
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.controllers.measures import measure_store
from strongroom.domain.jobs import CHECK_DEADLINE, build_store_check_job
from strongroom.domain.jobstates import JobState
from strongroom.domain.places import find_local_fault, place_of, share_a_place
from strongroom.domain.runs import GRACE
from strongroom.domain.sites import Cluster, Site, is_ready
from strongroom.domain.stores import (
    AskedCheck,
    StoreFacts,
    build_store_status,
    find_refusal,
    next_check,
    next_host,
    pending_check,
)
from strongroom.kube.kinds import JOBS, STORES
from strongroom.kube.rights import on

RIGHTS = (
    on(STORES, "patch", sub="status"),
    on(JOBS, "get", "create", "delete"),
)


async def reconcile_store(context: Context, key: Key) -> datetime | None:
    """Bring one store's status up to date, and check the store if nobody has for long; returns when to look again."""
    name = (key.namespace, key.name)
    store = context.observed.stores.get(name)
    if store is None or store.meta.deletion_timestamp is not None:
        context.measures.stores.pop(name, None)
        return None  # a faulty store is named by the policies that use it
    checks = _checks(context, store)
    under_way = await _collect(context, store, checks)
    hosts = _sites(context, store)
    live = {where: host for where, host in hosts.items() if is_ready(host)}
    facts = StoreFacts(
        store=store,
        contacts=context.observed.contacts.of(name),
        hosts=sorted(hosts),
        live_hosts=sorted(live),
        records=context.observed.runs_in(key.namespace),
        now=context.now(),
        same_place=_same_place(context, store, hosts),
    )
    status = build_store_status(facts)
    context.measures.stores[name] = measure_store(status)
    await context.write_status(STORES, store.meta, store.status, status)
    for job in checks:
        if job not in under_way:
            await context.client.delete(JOBS, job.meta.namespace, job.meta.name, uid=job.meta.uid)
    moments: list[datetime | None] = []
    if under_way:
        moments.append(min(_made(context, store, job) for job in under_way) + CHECK_DEADLINE + GRACE)
    else:
        asked = await _answer_request(context, store, facts, live)
        moments.append(asked or await _check_if_due(context, store, facts, live))
    newest = context.observed.stores.get(name, store)
    moments.append(await sync_catalogue(context, newest, hosts, live))
    return min((moment for moment in moments if moment is not None), default=None)


async def _answer_request(
    context: Context, store: BackupStore, facts: StoreFacts, live: dict[str, Site]
) -> datetime | None:
    """A check that was asked for looks from every live host, one after the other; then the request counts as answered."""
    request, uid = pending_check(store), store.meta.uid
    if request is None or not live or find_refusal(store) is not None:
        return None
    asked = context.asked_checks.get(uid)
    if asked is None or asked.request != request:
        asked = AskedCheck(request, tuple(sorted(live)))
    if waiting := [host for host in asked.hosts if host in live]:
        until = await _check(context, store, live[waiting[0]], facts.now)
        context.asked_checks[uid] = AskedCheck(request, tuple(waiting[1:]))
        return until
    newest = context.observed.stores.get(store.key, store)
    answered = newest.status.model_copy(update={"last_check_request": request})
    await context.write_status(STORES, newest.meta, newest.status, answered)
    context.asked_checks.pop(uid, None)
    return None


def _checks(context: Context, store: BackupStore) -> list[JobState]:
    return [
        job
        for job in context.observed.jobs.values()
        if job.meta.namespace == store.meta.namespace
        and job.store == store.meta.name
        and job.kind != "Catalogue"
        and job.meta.deletion_timestamp is None
    ]


def _attempt(store: BackupStore) -> tuple[str, int]:
    """What was tried: a changed store is looked at without delay."""
    return store.meta.uid, store.meta.generation


def _made(context: Context, store: BackupStore, job: JobState) -> datetime:
    """When the check was made: by our own clock if we know, because the server's may be another."""
    return max(job.created, context.checks_tried.get(_attempt(store), job.created))


async def _collect(context: Context, store: BackupStore, checks: list[JobState]) -> list[JobState]:
    """The checks that are still under way; one that is overdue counts as an answer: silence."""
    under_way = []
    for job in checks:
        if job.ending is not None:
            continue
        if context.now() < _made(context, store, job) + CHECK_DEADLINE + GRACE:
            under_way.append(job)
        else:
            where = job.seen_from
            context.observed.contacts.note_silence(store.key, where, context.now(), store.meta.generation)
    return under_way


def _sites(context: Context, store: BackupStore) -> dict[str, Site]:
    """Hosts from which policies use the store, and the cluster where it can; without such a policy, the only one of them."""
    using = (context.observed.site_of(policy) for policy in context.observed.policies_using_store(store.key))
    sites = {site.key: site for site in using if site is not None and _can_use(site, store)}
    if not sites:
        known: list[Site] = [
            host for host in context.observed.hosts.values() if host.meta.namespace == store.meta.namespace
        ]
        cluster = context.observed.cluster(store.meta.namespace)
        own = [site for site in (*known, cluster) if site is not None and _can_use(site, store)]
        sites = {site.key: site for site in own} if len(own) == 1 else {}
    return {"/".join(key): site for key, site in sites.items()}


def _can_use(site: Site, store: BackupStore) -> bool:
    """Whether the store is one of that world: folders are a host's, claims are a cluster's."""
    if isinstance(site, Cluster):
        return find_local_fault(store.spec) is None
    return store.spec.local is None or store.spec.local.persistent_volume_claim is None


def _same_place(context: Context, store: BackupStore, hosts: Collection[str]) -> list[str]:
    """Names of the namespace's other stores that are the same folder or bucket."""
    return sorted(
        other.meta.name
        for other in context.observed.stores.values()
        if other.meta.namespace == store.meta.namespace
        and other.meta.name != store.meta.name
        and other.meta.deletion_timestamp is None
        and place_of(other.spec) == place_of(store.spec)  # cheap, and rarely so
        and share_a_place((store.spec, hosts), (other.spec, _sites(context, other)))
    )


async def _check_if_due(
    context: Context, store: BackupStore, facts: StoreFacts, live: dict[str, Site]
) -> datetime | None:
    tried = context.checks_tried.get(_attempt(store))
    moment, where = next_check(facts, tried), next_host(facts)
    if moment is None or where is None or moment > facts.now:
        return moment
    return await _check(context, store, live[where], facts.now)


async def _check(context: Context, store: BackupStore, host: Site, now: datetime) -> datetime:
    context.checks_tried[_attempt(store)] = now
    body = build_store_check_job(store, host, now, context.settings.worker_image)
    made = await context.client.ensure(JOBS, store.meta.namespace, body)
    context.take_in(JOBS, made)
    return now + CHECK_DEADLINE + GRACE + timedelta(seconds=1)
