"""Copies that are caught up: make the Job of the newest run that is due, write down what came of it, let it go."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from strongroom.api.backuprun import TERMINAL_PHASES
from strongroom.api.resources import BackupPolicy, BackupRun, BackupStore, parse_run
from strongroom.controllers.context import Context
from strongroom.domain.catchups import (
    MOST_AT_ONCE,
    CatchUpDue,
    choose_stores,
    find_due_times,
    has_place,
    yields_at,
)
from strongroom.domain.catchupstatus import find_overdue, judge_catch_up
from strongroom.domain.holdings import find_wanted
from strongroom.domain.jobs import build_catch_up_job
from strongroom.domain.jobstates import JobState
from strongroom.domain.names import catch_up_job_name
from strongroom.domain.policies import Surroundings, find_blocker
from strongroom.domain.runrecords import RunRecord
from strongroom.domain.runs import GRACE
from strongroom.kube.kinds import JOBS, POLICIES, RUNS
from strongroom.kube.rights import on

RIGHTS = (
    on(RUNS, "get"),
    on(RUNS, "patch", sub="status"),
    on(JOBS, "get", "create", "delete"),
)

CROWDED_PAUSE = timedelta(minutes=1)
"""How long to wait for other policies' Jobs to leave a store."""


async def start_catch_up(
    context: Context, policy: BackupPolicy, around: Surroundings, records: Sequence[RunRecord]
) -> datetime | None:
    """Make the Job of the newest run that is due, if the policy has nothing else to do; returns when to look again."""
    wanted = find_wanted(policy, records, context.now())
    if not wanted or around.site is None or find_blocker(policy, around) is not None:
        return None
    stores = _stores_in(context, policy.meta.namespace)
    dues = find_due_times(wanted, stores, context.now())
    async with context.starting:
        if is_at_work(context, policy):
            return None  # its end brings us here again
        now = context.now()
        is_free = has_place(around.site, context.observed.jobs.values())
        for due in dues:
            if due.moment > now or not is_free or _is_crowded(context, due):
                continue
            if await _make_job(context, policy, due.wanted.record, stores, around):
                return None
    later = [due.moment if due.moment > now else now + CROWDED_PAUSE for due in dues]
    return min(later, default=None)


def _stores_in(context: Context, namespace: str) -> dict[str, BackupStore]:
    return {name: store for (where, name), store in context.observed.stores.items() if where == namespace}


def is_at_work(context: Context, policy: BackupPolicy) -> bool:
    """Whether a run of the policy has begun, or a Job of its copies: two would be in each other's way in every store."""
    has_begun = any(not record.is_terminal for record in context.observed.runs_of(policy.key))
    return has_begun or bool(context.observed.catch_ups_of(policy.key))


def _is_crowded(context: Context, due: CatchUpDue) -> bool:
    """Whether one of the stores has as many copies on their way to it as it may have."""
    under_way = Counter(
        store
        for job in context.observed.jobs.values()
        if job.catch_up is not None and job.ending is None
        for store in _targets(context, job, due.wanted.record.namespace)
    )
    return any(under_way[store] >= MOST_AT_ONCE for store in due.targets)


def _targets(context: Context, job: JobState, namespace: str) -> list[str]:
    """The stores that a Job copies to, by the run that it belongs to."""
    owners = (context.observed.runs.get((namespace, owner.name)) for owner in job.meta.owner_references)
    own = (record for record in owners if record is not None and job.meta.namespace == namespace)
    return [lack.store for record in own for lack in record.lacks]


async def _make_job(
    context: Context,
    policy: BackupPolicy,
    record: RunRecord,
    stores: dict[str, BackupStore],
    around: Surroundings,
) -> bool:
    """Make the Job of the run's next attempt, or adopt the one that is there. The run is read anew: it may know better by now."""
    body = await context.client.reads.get(RUNS, record.namespace, record.name)
    run = None if body is None else parse_run(body)
    if run is None or run.meta.uid != record.uid or around.site is None:
        return False
    chosen, lacking = choose_stores(run, policy, stores)
    if not lacking or run.status.recovery_point is None:
        return False
    job = build_catch_up_job(run, policy, chosen, around.site, context.settings.worker_image)
    made = await context.client.ensure(JOBS, run.meta.namespace, job)
    context.take_in(JOBS, made)
    message = (
        f"Job {job['metadata']['name']} copies to {', '.join(lacking)} what {chosen[0].meta.name} holds."
    )
    await context.tell(RUNS, run.meta, "Normal", "CatchingUp", message)
    return True


async def make_way(context: Context, policy: BackupPolicy) -> None:
    """A backup goes before copies of earlier ones: their Jobs go, and are made again after it."""
    for job in context.observed.catch_ups_of(policy.key):
        if job.ending is None:
            await _let_go(context, job)


async def settle_catch_up(context: Context, record: RunRecord) -> datetime | None:
    """Write down what became of a run's Job that copies, then let it go; returns when one under way is overdue."""
    counted = context.observed.jobs.get(
        (record.namespace, catch_up_job_name(record.name, record.uid, record.attempts))
    )
    if counted is not None:
        await _let_go(context, counted)
    job = context.observed.jobs.get(
        (record.namespace, catch_up_job_name(record.name, record.uid, record.attempts + 1))
    )
    if job is None or job.meta.deletion_timestamp is not None:
        return None
    until = (job.started or job.created) + job.deadline + GRACE
    if job.ending is None and context.now() < until:
        return await _make_room(context, job, until)
    overdue = (
        "" if job.ending is not None else find_overdue(job, host_is_alive=context.observed.is_alive(job))
    )
    await _conclude(context, record, job, overdue)
    await _let_go(context, job)
    return None


async def _make_room(context: Context, job: JobState, until: datetime) -> datetime:
    """Let a Job under way go if one that matters more waits for its place; it is made again. Returns when to look again."""
    yields = yields_at(job, context.observed.jobs.values())
    if yields is None or yields > context.now():
        return until if yields is None else min(yields, until)
    await _let_go(context, job)
    return until


async def _let_go(context: Context, job: JobState) -> None:
    if job.meta.deletion_timestamp is None:
        await context.client.delete(JOBS, job.meta.namespace, job.meta.name, uid=job.meta.uid)


async def _conclude(context: Context, record: RunRecord, job: JobState, overdue: str) -> None:
    """The status is written before the Job goes: killed in between, the Job is known to have been counted by its name."""
    body = await context.client.reads.get(RUNS, record.namespace, record.name)
    run = None if body is None else parse_run(body)
    if run is None or run.meta.uid != record.uid or run.status.phase not in TERMINAL_PHASES:
        return
    attempts = run.status.catch_up.attempts if run.status.catch_up is not None else 0
    if attempts != record.attempts:
        return  # counted before: what was observed is old
    verdict = judge_catch_up(run, job, context.now(), overdue)
    await context.write_status(RUNS, run.meta, run.status, verdict.status)
    await _announce(context, run, verdict.event, verdict.message)


async def _announce(context: Context, run: BackupRun, event: str, message: str) -> None:
    is_well = event == "CaughtUp"
    await context.tell(RUNS, run.meta, "Normal" if is_well else "Warning", event, message)
    policy = context.observed.policies.get((run.meta.namespace, run.spec.policy))
    if policy is not None and is_well:
        await context.tell(POLICIES, policy.meta, "Normal", event, f"Run {run.meta.name}: {message}")
