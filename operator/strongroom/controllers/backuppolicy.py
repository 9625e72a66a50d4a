"""BackupPolicies: make the run of a slot that is due, keep the status true, forget old runs."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from strongroom.api.backuppolicy import BackupPolicyStatus
from strongroom.api.backuprun import BackupRunSpec
from strongroom.api.conditions import FRESH, READY, Condition, build_condition, find_condition, with_condition
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import format_time
from strongroom.api.group import API_VERSION
from strongroom.api.labels import MANAGED_BY_LABEL, MANAGER, POLICY_LABEL
from strongroom.api.resources import BackupPolicy, ObjectMeta
from strongroom.controllers.catchingup import start_catch_up
from strongroom.controllers.context import Context
from strongroom.controllers.drilling import mind_drills
from strongroom.controllers.keys import Key
from strongroom.controllers.measures import PolicyMeasures, measure_policy
from strongroom.controllers.objects import Faulty
from strongroom.domain.drills import drilled_until
from strongroom.domain.freshness import CLOCK_TOLERANCE
from strongroom.domain.history import find_forgettable, find_pruned
from strongroom.domain.names import run_name
from strongroom.domain.policies import Problem, find_problems
from strongroom.domain.policystatus import (
    PolicyFacts,
    build_policy_status,
    copies_satisfied_until,
    drill_schedule,
    next_start,
)
from strongroom.domain.runrecords import RunRecord, newest_finished
from strongroom.domain.schedule import Due, Schedule, due_slot, jitter_offset, parse_schedule
from strongroom.domain.spans import parse_span
from strongroom.kube.client import Object
from strongroom.kube.kinds import POLICIES, RUNS
from strongroom.kube.rights import on

RIGHTS = (
    on(RUNS, "get", "create", "delete"),
    on(RUNS, "patch", sub="status"),
    on(POLICIES, "patch", sub="status"),
)

log = logging.getLogger(__name__)
SECOND = timedelta(seconds=1)


async def reconcile_policy(context: Context, key: Key) -> datetime | None:
    """Bring one policy up to date; returns when to look again although nothing happens."""
    name = (key.namespace, key.name)
    faulty = context.observed.faulty.get(key)
    if faulty is not None:
        await _mark_invalid(context, faulty)
        context.measures.policies[name] = PolicyMeasures(ready=False)
        return None
    policy = context.observed.policies.get(name)
    if policy is None:
        context.measures.policies.pop(name, None)
        return None
    if policy.meta.deletion_timestamp is not None:
        return None
    return await _reconcile(context, policy)


async def _reconcile(context: Context, policy: BackupPolicy) -> datetime | None:
    around = context.observed.surroundings(policy)
    problem = next(find_problems(policy, around), None)
    schedule = _schedule(policy)
    records = context.observed.runs_of(policy.key)
    last_slot = _last_slot(context, policy, records)
    if schedule is not None and not policy.spec.suspend and not _is_invalid(problem):
        last_slot = await _decide_slot(context, policy, schedule, last_slot)
    drills, drill_again = await mind_drills(context, policy, around, records)
    facts = PolicyFacts(
        policy=policy,
        schedule=schedule,
        problem=problem,
        records=context.observed.runs_of(policy.key),
        stores=around.specs(),
        shared_with=context.observed.turns.sharing(policy.key),
        last_slot=last_slot,
        now=context.now(),
        drills=drills,
        clock_trouble=None if context.clock_trouble is None else context.clock_trouble.message,
    )
    status = build_policy_status(facts)
    await context.write_status(POLICIES, policy.meta, policy.status, status)
    await _tidy(context, policy, facts.records)
    context.measures.policies[policy.key] = measure_policy(facts, status)
    copied = await start_catch_up(context, policy, around, facts.records)
    return min(filter(None, [_next_look(facts, status), copied, drill_again]), default=None)


def _schedule(policy: BackupPolicy) -> Schedule | None:
    if policy.spec.schedule is None:
        return None
    try:
        return parse_schedule(policy.spec.schedule, policy.spec.time_zone)
    except StrongroomError:
        return None  # find_problems says so


def _is_invalid(problem: Problem | None) -> bool:
    """Whether not even a run can be made: its failure would have no better place than the policy itself."""
    return problem is not None and problem.blocks and problem.reason is Reason.InvalidSpec


def _last_slot(context: Context, policy: BackupPolicy, records: list[RunRecord]) -> datetime | None:
    """The newest slot ever decided: by the status, by this process, or by a run whose status write was lost."""
    uid = policy.meta.uid
    own = (record for record in records if record.policy_uid in (None, uid) and record.reason == "Scheduled")
    slots = [record.slot for record in own if record.is_terminal or record.found_in is None]
    known = [policy.status.last_schedule_time, context.decided_slots.get(uid), *slots]
    return max((slot for slot in known if slot is not None), default=None)


async def _decide_slot(
    context: Context, policy: BackupPolicy, schedule: Schedule, last: datetime | None
) -> datetime | None:
    """Make the run of the slot that is due, if any; returns the newest slot decided."""
    created = policy.meta.creation_timestamp
    if created is None:
        return last
    offset = jitter_offset(policy.meta.uid, parse_span(policy.spec.jitter))
    due = due_slot(
        schedule,
        last=last,
        created=created,
        now=context.server_clock.earliest(context.clock()),
        starting_deadline=parse_span(policy.spec.starting_deadline),
        jitter=offset,
    )
    if due is None:
        return last
    if due.missed:
        message = f"No run was made for the slots from {format_time(due.first)} to {format_time(due.slot)}: startingDeadline had passed."
        await context.tell(POLICIES, policy.meta, "Warning", "SlotsMissed", message)
    else:
        await _make_run(context, policy, due, offset)
    context.decided_slots[policy.meta.uid] = due.slot
    return due.slot


async def _make_run(context: Context, policy: BackupPolicy, due: Due, offset: timedelta) -> None:
    body = build_run(policy, due.slot)
    made = await context.client.ensure(RUNS, policy.meta.namespace, body)
    context.take_in(RUNS, made)
    context.measures.slot_lateness.observe(max(0.0, (context.clock() - due.slot - offset).total_seconds()))
    message = f"Made run {body['metadata']['name']} for the slot of {format_time(due.slot)}."
    if due.first < due.slot:
        message += f" It also stands for the slots missed since {format_time(due.first)}."
    await context.tell(POLICIES, policy.meta, "Normal", "RunMade", message)


def build_run(policy: BackupPolicy, slot: datetime) -> Object:
    """The BackupRun of a slot. It belongs to the policy only once it is finished: a run under way outlives its policy."""
    spec = BackupRunSpec(policy=policy.meta.name, reason="Scheduled", slot=slot)
    meta = {
        "name": run_name(policy.meta.name, policy.meta.uid, slot),
        "namespace": policy.meta.namespace,
        "labels": {POLICY_LABEL: policy.meta.name, MANAGED_BY_LABEL: MANAGER},
    }
    return {"apiVersion": API_VERSION, "kind": RUNS.kind, "metadata": meta, "spec": spec.to_api()}


async def _tidy(context: Context, policy: BackupPolicy, records: Sequence[RunRecord]) -> None:
    """Mark runs whose artifacts have gone, and forget the oldest finished ones."""
    pruned = find_pruned(records)
    newest = newest_finished(records)
    for record in pruned:
        when = newest.completed if newest is not None and newest.completed else context.now()
        # The uid keeps this from a later run of the same name.
        body = {"metadata": {"uid": record.uid}, "status": {"prunedTime": format_time(when)}}
        marked = await context.client.patch(RUNS, record.namespace, record.name, body, subresource="status")
        context.take_in(RUNS, marked)
    if context.clock_trouble is not None:
        return  # nothing is deleted by a clock that may be wrong
    for record in find_forgettable(records, policy.spec.run_history_limit):
        await context.client.delete(RUNS, record.namespace, record.name, uid=record.uid)


async def _mark_invalid(context: Context, policy: Faulty) -> None:
    """An object that was stored before a schema change, for instance: say so, touch nothing else."""
    meta = ObjectMeta.model_validate(policy.body["metadata"])
    status = policy.body.get("status") or {}
    conditions = _readable(status.get("conditions") or [])
    ready = build_condition(
        READY,
        status=False,
        reason=policy.error.reason.name,
        message=str(policy),
        now=context.now(),
        generation=meta.generation,
    )
    fresh = build_condition(
        FRESH,
        status=None,
        reason=policy.error.reason.name,
        message="A policy that cannot be read does not tell how old its newest backup may be.",
        now=context.now(),
        generation=meta.generation,
    )
    judged = with_condition(with_condition(conditions, ready), fresh)
    wanted = {
        "observedGeneration": meta.generation,
        "conditions": [condition.to_api() for condition in judged],
        "message": ready.message,
        "nextScheduleTime": None,
        "freshUntil": None,
    }
    changes = {name: value for name, value in wanted.items() if status.get(name) != value}
    if changes:
        await context.patch_status(POLICIES, meta, changes)


def _readable(conditions: list[Object]) -> list[Condition]:
    kept = []
    for condition in conditions:
        try:
            kept.append(Condition.model_validate(condition))
        except ValidationError:
            log.warning("dropped a condition that cannot be read: %s", condition.get("type"))
    return kept


def _next_look(facts: PolicyFacts, status: BackupPolicyStatus) -> datetime | None:
    """The next moment at which the answer changes by itself."""
    moments = [next_start(facts)]
    fresh = find_condition(status.conditions, FRESH)
    if status.fresh_until is not None and fresh is not None and fresh.status == "True":
        moments.append(status.fresh_until + SECOND)
    if (until := copies_satisfied_until(facts)) is not None:
        moments.append(until + SECOND)
    if (until := drilled_until(facts.drills, drill_schedule(facts))) is not None and until >= facts.now:
        moments.append(until + SECOND)
    if facts.last_slot is not None and facts.last_slot > facts.now + CLOCK_TOLERANCE:
        moments.append(facts.now + CLOCK_TOLERANCE)
    return min((moment for moment in moments if moment is not None), default=None)
