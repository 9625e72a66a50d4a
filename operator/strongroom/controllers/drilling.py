"""Drills of a policy: make the Job that is due, take in what came of it, let it go."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from strongroom.api.errors import StrongroomError
from strongroom.api.fields import format_time
from strongroom.api.resources import BackupPolicy, BackupStore, parse_run
from strongroom.controllers.context import Context
from strongroom.domain.drillapplications import find_pod_trouble
from strongroom.domain.drillorders import build_drill_order
from strongroom.domain.drills import (
    DrillFacts,
    DrillStep,
    DrillView,
    drill_uid,
    next_drill_step,
    parse_drill_schedule,
)
from strongroom.domain.jobs import build_drill_job
from strongroom.domain.jobstates import JobState
from strongroom.domain.names import drill_job_name
from strongroom.domain.policies import Surroundings, find_lasting_problem
from strongroom.domain.runrecords import RunRecord
from strongroom.domain.schedule import Schedule
from strongroom.domain.sites import Cluster, is_ready
from strongroom.kube.events import EventType
from strongroom.kube.kinds import JOBS, POLICIES, RUNS
from strongroom.kube.rights import on

RIGHTS = (
    on(RUNS, "get"),
    on(JOBS, "get", "create", "delete"),
)

JOB_KEPT = timedelta(hours=1)
"""A finished Job stays this long, for people to look at."""


async def mind_drills(
    context: Context, policy: BackupPolicy, around: Surroundings, records: Sequence[RunRecord]
) -> tuple[DrillView, datetime | None]:
    """What is so of drills now, for the policy's status, and when to look again although nothing happens."""
    known = DrillView(policy.status.last_drill, policy.status.pending_drill)
    schedule = _schedule(policy)
    if policy.spec.drill is None or schedule is None:
        return DrillView(policy.status.last_drill), None
    facts = DrillFacts(
        policy=policy,
        drill=policy.spec.drill,
        schedule=schedule,
        records=records,
        job=_job(context, policy),
        problem=_find_problem(policy, around),
        now=context.now(),
    )
    step = next_drill_step(facts)
    if step.make_job and not await _make_job(context, policy, step, around):
        return known, context.now() + timedelta(minutes=1)
    await _announce(context, policy, step)
    kept = await _tidy(context, policy, step.view)
    return step.view, min(filter(None, [step.until, kept]), default=None)


def _schedule(policy: BackupPolicy) -> Schedule | None:
    try:
        return parse_drill_schedule(policy.spec)
    except StrongroomError:
        return None  # find_problems says so


def _job(context: Context, policy: BackupPolicy) -> JobState | None:
    pending = policy.status.pending_drill
    if pending is None:
        return None
    name = drill_job_name(policy.meta.name, policy.meta.uid, pending.slot, pending.attempt)
    return context.observed.jobs.get((policy.meta.namespace, name))


def _find_problem(policy: BackupPolicy, around: Surroundings) -> str | None:
    """Why no Job can be made now, in words."""
    if policy.spec.host is not None and (around.site is None or not is_ready(around.site)):
        return f"the agent of DockerHost {policy.spec.host} is not alive"
    if isinstance(around.site, Cluster) and policy.spec.drill is not None:
        trouble = find_pod_trouble(policy.spec.drill)
        if trouble is not None:
            return trouble
    problem = find_lasting_problem(policy, around)
    return None if problem is None else problem.message


async def _make_job(context: Context, policy: BackupPolicy, step: DrillStep, around: Surroundings) -> bool:
    """Make the pending drill's Job, or adopt the one that is there; False when its run is not there to be read."""
    pending = step.view.pending
    if pending is None or pending.run is None or around.site is None:
        return False
    body = await context.client.reads.get(RUNS, policy.meta.namespace, pending.run)
    if body is None:
        return False
    run = parse_run(body)
    uid = drill_uid(policy.meta.uid, pending.slot, pending.attempt)
    order = build_drill_order(policy, run, _stores(around, pending.store), uid)
    name = drill_job_name(policy.meta.name, policy.meta.uid, pending.slot, pending.attempt)
    job = build_drill_job(policy, order, name, around.site, context.settings.worker_image)
    made = await context.client.ensure(JOBS, policy.meta.namespace, job)
    context.take_in(JOBS, made)
    return True


def _stores(around: Surroundings, store: str | None) -> list[BackupStore]:
    """The store whose turn it is, alone: a drill tells of one copy."""
    found = None if store is None else around.stores.get(store)
    return [] if found is None else [found]


async def _announce(context: Context, policy: BackupPolicy, step: DrillStep) -> None:
    last, before = step.view.last, policy.status.last_drill
    kind: EventType = "Normal"
    if last is not None and (before is None or before.slot != last.slot):
        kind, reason = ("Normal", "DrillPassed") if last.passed else ("Warning", "DrillFailed")
        what = f"Run {last.run} was restored from store {last.store} in {last.restore_seconds:.0f} s"
        message = (
            f"{what}; {last.compared_count} things compared."
            if last.passed
            else f"{last.reason}: {last.message}"
        )
        await context.tell(POLICIES, policy.meta, kind, reason, message)
        return
    pending, known = step.view.pending, policy.status.pending_drill
    if pending is None:
        return
    if step.make_job:
        message = f"Run {pending.run} is restored from store {pending.store}, into a throw-away environment."
        await context.tell(POLICIES, policy.meta, kind, "DrillStarted", message)
    elif pending.reason is not None and (known is None or known.attempt != pending.attempt):
        message = f"The drill of {format_time(pending.slot)} could not run ({pending.reason}: {pending.message}); it is tried again."
        await context.tell(POLICIES, policy.meta, "Warning", "DrillCouldNotRun", message)


async def _tidy(context: Context, policy: BackupPolicy, view: DrillView) -> datetime | None:
    """Let ended Jobs of drills go after a while; returns when the next one may."""
    current = None
    if view.pending is not None:
        current = drill_job_name(policy.meta.name, policy.meta.uid, view.pending.slot, view.pending.attempt)
    upcoming = []
    for job in context.observed.drills_of(policy.key):
        if job.meta.name == current or job.ending is None or job.meta.deletion_timestamp is not None:
            continue
        kept_until = (job.ending.time or job.created) + JOB_KEPT
        if context.now() < kept_until:
            upcoming.append(kept_until)
        else:
            await context.client.delete(JOBS, job.meta.namespace, job.meta.name, uid=job.meta.uid)
    return min(upcoming, default=None)
