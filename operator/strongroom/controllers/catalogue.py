"""The catalogues of stores: Jobs that list them, part by part, and the runs that follow from what they find.

A part's Job stays until all that follows from it is written: whoever dies in between finds it again.
"""

from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from strongroom.api.errors import Reason
from strongroom.api.resources import BackupStore, describe
from strongroom.api.result import CatalogueReport, WorkResult
from strongroom.controllers.context import Context
from strongroom.controllers.rebuilding import carry_out
from strongroom.domain.catalogues import Action, Known, decide_absences, decide_page, find_expected
from strongroom.domain.jobs import SYNC_DEADLINE, CataloguePart, build_catalogue_job
from strongroom.domain.jobstates import JobState
from strongroom.domain.names import sync_job_name
from strongroom.domain.runs import GRACE
from strongroom.domain.sites import Site
from strongroom.domain.storesyncs import (
    Synced,
    Walk,
    begin_walk,
    failed_status,
    find_trust,
    next_sync,
    synced_status,
)
from strongroom.kube.kinds import JOBS, RUNS, STORES
from strongroom.kube.rights import on

RIGHTS = (
    on(STORES, "patch", sub="status"),
    on(JOBS, "get", "create", "delete"),
)

MOST_ACTIONS = 50
"""Runs that are written in one pass: others have their turn in between."""


class _EndedError(Exception):
    """Why a walk ends early."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


async def sync_catalogue(
    context: Context, store: BackupStore, hosts: Mapping[str, Site], live: Mapping[str, Site]
) -> datetime | None:
    """Take the reading of a store's catalogue a step further, or begin it if it is due; returns when to look again."""
    uid, now = store.meta.uid, context.now()
    walk = context.walks.get(uid)
    if walk is not None and walk.generation != store.meta.generation:
        del context.walks[uid]
        walk = None
    if walk is None:
        moment = (
            next_sync(store, context.synced.get(uid), now) if live else None
        )  # a host that is back wakes us
        if moment is None or moment > now:
            await _remove_jobs(context, store, keep=None)
            return moment
        walk = context.walks[uid] = begin_walk(store, sorted(hosts), sorted(live), context.clock())
    try:
        return await _step(context, store, walk, live)
    except _EndedError as failure:
        await _end(context, store, walk, failure)
        return next_sync(store, context.synced.get(uid), context.now())


async def _step(
    context: Context, store: BackupStore, walk: Walk, live: Mapping[str, Site]
) -> datetime | None:
    """Ask for the next part, wait for it, or carry out what follows from it."""
    trust, keys = find_trust(list(context.observed.policies.values()), store.meta.namespace)
    if walk.is_over:
        if not await _perform(context, store, list(_absences(context, store, walk))):
            return context.now()
        await _end(context, store, walk, None)
        return next_sync(_newest(context, store), context.synced[store.meta.uid], context.now())
    job = context.observed.jobs.get((store.meta.namespace, _job_name(store, walk)))
    if job is None:
        host = live.get(walk.hosts[0])
        if host is None:
            raise _EndedError(
                Reason.HostNotReady.name, f"{walk.hosts[0]} is not alive. {Reason.HostNotReady.hint}"
            )
        expected = find_expected(_known(context, store), walk.listing(store.meta.name, trust))
        part = CataloguePart(walk.began, walk.after, expected)
        body = build_catalogue_job(store, host, part, keys, context.settings.worker_image)
        await _remove_jobs(context, store, keep=body["metadata"]["name"])
        context.take_in(JOBS, await context.client.ensure(JOBS, store.meta.namespace, body))
        return context.now() + SYNC_DEADLINE + GRACE
    if job.ending is None:
        overdue = job.created + SYNC_DEADLINE + GRACE
        if context.now() >= overdue:
            raise _EndedError(
                Reason.DeadlineExceeded.name, f"Job {job.meta.name} did not end. {Reason.HostNotReady.hint}"
            )
        return overdue
    report = _read_report(job, store)
    listing = walk.listing(store.meta.name, trust)
    if not await _perform(context, store, list(decide_page(report.points, _known(context, store), listing))):
        return context.now()
    context.walks[store.meta.uid] = walk.with_part(report, trust)
    return context.now()


def _absences(context: Context, store: BackupStore, walk: Walk) -> list[Action]:
    """Only a whole walk tells what is not there."""
    if not walk.is_whole:
        return []
    trust, _ = find_trust(list(context.observed.policies.values()), store.meta.namespace)
    listing = walk.listing(store.meta.name, trust)
    return list(decide_absences(walk.seen, _known(context, store), listing))


async def _perform(context: Context, store: BackupStore, actions: list[Action]) -> bool:
    """Carry out as many as one pass may; whether that was all."""
    for action in actions[:MOST_ACTIONS]:
        await carry_out(context, store, action)
    return len(actions) <= MOST_ACTIONS


def _known(context: Context, store: BackupStore) -> Known:
    namespace = store.meta.namespace
    unreadable = [
        str(fault.body["metadata"].get("uid"))
        for key, fault in context.observed.faulty.items()
        if key.kind == RUNS and key.namespace == namespace
    ]
    return Known(context.observed.runs_in(namespace), unreadable)


def _job_name(store: BackupStore, walk: Walk) -> str:
    return sync_job_name(store.meta.name, store.meta.uid, walk.hosts[0], walk.began, walk.after)


def _read_report(job: JobState, store: BackupStore) -> CatalogueReport:
    """What the Job found. Raises _EndedError with the worker's reason, or that of its silence."""
    if job.result is None:
        told = f" ({job.ending.reason}: {job.ending.message})" if job.ending and job.ending.reason else ""
        raise _EndedError(Reason.WorkerLost.name, f"Job {job.meta.name} ended without a result{told}")
    try:
        result = WorkResult.model_validate_json(job.result)
    except ValidationError as error:
        fault = f"the result of Job {job.meta.name} cannot be read: {describe(error, 'result')}"
        raise _EndedError(Reason.InvalidOrder.name, fault) from error
    report = result.catalogue
    if result.run_uid != store.meta.uid:
        raise _EndedError(Reason.InternalError.name, f"the result in Job {job.meta.name} is of another store")
    if result.outcome != "Succeeded" or report is None:
        why = result.message or "the worker told of no catalogue"
        raise _EndedError(result.reason if result.outcome != "Succeeded" else Reason.InvalidOrder.name, why)
    asked = job.order.catalogue.after if job.order is not None and job.order.catalogue is not None else None
    if (report.store, report.after) != (store.meta.name, asked):
        raise _EndedError(
            Reason.InternalError.name, f"the result in Job {job.meta.name} is of another listing"
        )
    if report.next is not None and asked is not None and f"{report.next}/" <= f"{asked}/":
        raise _EndedError(Reason.InternalError.name, f"the listing of Job {job.meta.name} does not advance")
    return report


async def _end(context: Context, store: BackupStore, walk: Walk, failure: _EndedError | None) -> None:
    """Write down how the walk ended, and let its Jobs go."""
    newest, now = _newest(context, store), context.now()
    if failure is None:
        status = synced_status(newest, walk, now)
    else:
        status = failed_status(newest, walk, failure.reason, failure.message, now)
    await context.write_status(STORES, newest.meta, newest.status, status)
    context.synced[store.meta.uid] = Synced(walk.generation, now, failure is None, walk.request)
    context.walks.pop(store.meta.uid, None)
    await _remove_jobs(context, store, keep=None)


def _newest(context: Context, store: BackupStore) -> BackupStore:
    """The store with what this pass has written to it."""
    return context.observed.stores.get(store.key, store)


async def _remove_jobs(context: Context, store: BackupStore, keep: str | None) -> None:
    for job in list(context.observed.jobs.values()):
        is_ours = job.kind == "Catalogue" and (job.meta.namespace, job.store) == store.key
        if is_ours and job.meta.name != keep and job.meta.deletion_timestamp is None:
            await context.client.delete(JOBS, job.meta.namespace, job.meta.name, uid=job.meta.uid)
