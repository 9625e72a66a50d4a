"""Drills: which is due, of which backup from which store; what came of it; and whether a policy is drilled.

A drill that could not run (its host is away, its server did not start) says nothing about the backup: it is tried again. One that ran
and did not restore what the manifest promises is an alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.conditions import DRILLED, Condition, build_condition
from strongroom.api.drills import Drill, LastDrill, PendingDrill
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import format_duration, format_time
from strongroom.api.resources import BackupPolicy
from strongroom.api.result import WorkResult
from strongroom.domain.jobstates import JobState
from strongroom.domain.runrecords import RunRecord, newest_success
from strongroom.domain.runs import GRACE
from strongroom.domain.schedule import Schedule, due_slot, longest_gap, next_slot, parse_schedule
from strongroom.domain.verdicts import Verdict, read_result

STARTING_DEADLINE = timedelta(days=1)
"""A drill that was missed by less is made up for."""
SLACK = timedelta(days=1)
"""A policy counts as drilled for this much longer than the longest gap of its drills: backups and hosts come first."""
_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (10, 30, 60, 120, 360))
_MOST_FAILED = 20


@dataclass(frozen=True)
class DrillView:
    """What a policy's status holds of drills."""

    last: LastDrill | None = None
    pending: PendingDrill | None = None


@dataclass(frozen=True)
class DrillFacts:
    """What the decision rests on. `job` is that of the pending drill's attempt."""

    policy: BackupPolicy
    drill: Drill
    schedule: Schedule
    records: Sequence[RunRecord]
    job: JobState | None
    problem: str | None
    """Why no Job can be made now, in words."""
    now: datetime


@dataclass(frozen=True)
class DrillStep:
    """What is so now, and what is to be done: make the pending drill's Job, or nothing before `until`."""

    view: DrillView
    make_job: bool = False
    until: datetime | None = None


def parse_drill_schedule(spec: BackupPolicySpec) -> Schedule | None:
    """When to drill; None without drills. Raises ScheduleInvalid or TimeZoneInvalid, naming the field."""
    if spec.drill is None:
        return None
    try:
        return parse_schedule(spec.drill.schedule, spec.time_zone)
    except StrongroomError as error:
        raise StrongroomError(
            error.reason, str(error).replace("spec.schedule", "spec.drill.schedule")
        ) from error


def next_drill_step(facts: DrillFacts) -> DrillStep:
    """What to do about drills now."""
    status = facts.policy.status
    pending = _renewed(facts, status.pending_drill)
    if pending is None:
        return DrillStep(DrillView(status.last_drill), until=next_slot(facts.schedule, facts.now))
    if facts.job is not None and pending == status.pending_drill:
        return _attend(facts, pending, facts.job)
    return _begin(facts, pending)


def _renewed(facts: DrillFacts, pending: PendingDrill | None) -> PendingDrill | None:
    """The drill that is due: a newer slot takes the place of an older one that could not run."""
    if facts.job is not None and facts.job.ending is None:
        return pending
    created = facts.policy.meta.creation_timestamp
    last = facts.policy.status.last_drill
    known = [each.slot for each in (last, pending) if each is not None]
    if created is None or facts.drill.suspend:
        return pending
    due = due_slot(
        facts.schedule,
        last=max(known, default=None),
        created=created,
        now=facts.now,
        starting_deadline=STARTING_DEADLINE,
    )
    return pending if due is None or due.missed else PendingDrill(slot=due.slot, attempt=1)


def _begin(facts: DrillFacts, pending: PendingDrill) -> DrillStep:
    """Make the Job, unless the last attempt is too near or nothing can be made."""
    last = facts.policy.status.last_drill
    if pending.failed_time is not None:
        again = pending.failed_time + _pause(pending.attempt)
        if facts.now < again:
            return DrillStep(DrillView(last, pending), until=again)
    record = newest_success(facts.records, facts.policy.spec)
    store = None if record is None else choose_store(facts.policy, record)
    if record is None or store is None:
        return _could_not(
            facts, pending, Reason.BackupNotFound.name, "there is no verified backup to restore"
        )
    if facts.problem is not None:
        return _could_not(facts, pending, Reason.HostNotReady.name, facts.problem)
    chosen = pending.model_copy(update={"run": record.name, "store": store})
    return DrillStep(DrillView(last, chosen), make_job=True)


def choose_store(policy: BackupPolicy, record: RunRecord) -> str | None:
    """The store whose turn it is: the one after the last drilled, of those with a good copy."""
    good = [store for store in policy.spec.stores if store in record.good_stores]
    last = policy.status.last_drill
    if last is None or last.store not in policy.spec.stores:
        return next(iter(good), None)
    place = policy.spec.stores.index(last.store)
    turns = [*policy.spec.stores[place + 1 :], *policy.spec.stores[: place + 1]]
    return next((store for store in turns if store in good), None)


def _attend(facts: DrillFacts, pending: PendingDrill, job: JobState) -> DrillStep:
    """The Job exists: follow it, or judge it when it has ended or will say nothing more."""
    last = facts.policy.status.last_drill
    until = (job.started or job.created) + job.deadline + GRACE
    if job.ending is None and facts.now < until:
        return DrillStep(DrillView(last, pending), until=until)
    uid = drill_uid(facts.policy.meta.uid, pending.slot, pending.attempt)
    result = read_result(job, uid)
    if isinstance(result, WorkResult) and result.drill is not None:
        return DrillStep(
            DrillView(_conclude(facts, pending, result)), until=next_slot(facts.schedule, facts.now)
        )
    return _could_not(facts, pending, result.reason, _words(result))


def _words(result: WorkResult | Verdict) -> str:
    return result.message or "the worker said nothing"


def _conclude(facts: DrillFacts, pending: PendingDrill, result: WorkResult) -> LastDrill:
    outcome = result.drill
    if outcome is None:
        raise ValueError("a drill that could not run concludes nothing")
    asked = [] if outcome.application is None else [outcome.application]
    failed = [check for check in dict.fromkeys([*outcome.checks, *asked]) if not check.passed]
    passed = outcome.passed and result.outcome == "Succeeded" and not failed
    return LastDrill(
        slot=pending.slot,
        time=facts.now,
        passed=passed,
        run=outcome.run,
        store=outcome.store,
        restore_seconds=outcome.restore_seconds,
        target_seconds=facts.drill.target_seconds,
        compared_count=outcome.compared_count,
        failed_checks=failed[:_MOST_FAILED],
        application=outcome.application,
        reason=None if passed else outcome.reason or result.reason,
        message=None if passed else outcome.message or result.message,
    )


def _could_not(facts: DrillFacts, pending: PendingDrill, reason: str, words: str) -> DrillStep:
    """Not the backup's fault: the next attempt comes after a pause."""
    failed = pending.model_copy(
        update={
            "attempt": pending.attempt + 1,
            "failed_time": facts.now,
            "reason": reason[:64],
            "message": words[:1024],
        }
    )
    again = facts.now + _pause(failed.attempt)
    return DrillStep(DrillView(facts.policy.status.last_drill, failed), until=again)


def _pause(attempt: int) -> timedelta:
    """How long before that attempt, the first of which is at once."""
    return _PAUSES[min(max(attempt - 2, 0), len(_PAUSES) - 1)]


def drill_uid(policy_uid: str, slot: datetime, attempt: int) -> str:
    """Identity of a drill's order: a result of another one is refused."""
    stamp = slot.astimezone(UTC).strftime("%Y%m%d%H%M")
    return f"{policy_uid[:40]}-{stamp}-{attempt}"


def judge_drilled(
    policy: BackupPolicy, view: DrillView, schedule: Schedule | None, now: datetime
) -> Condition | None:
    """Drilled: whether a backup was restored lately, and as it should be. None without drills."""
    if policy.spec.drill is None:
        return None
    status, reason, message = _judge(view, schedule, now)
    return build_condition(
        DRILLED, status=status, reason=reason, message=message, now=now, generation=policy.meta.generation
    )


def _judge(view: DrillView, schedule: Schedule | None, now: datetime) -> tuple[bool | None, str, str]:
    last, pending = view.last, view.pending
    trouble = (
        f" The drill of {format_time(pending.slot)} could not run: {pending.reason}: {pending.message}"
        if pending is not None and pending.reason is not None
        else ""
    )
    if schedule is None:
        return None, Reason.ScheduleInvalid.name, "spec.drill.schedule cannot be read."
    if last is None:
        return (
            (False, "CouldNotRun", trouble.strip())
            if trouble
            else (None, "NotYetDrilled", "No drill has run yet.")
        )
    what = f"run {last.run} from store {last.store} at {format_time(last.time)}"
    if not last.passed:
        return (
            False,
            last.reason or Reason.DrillFailed.name,
            f"The drill of {what} did not pass: {last.message}",
        )
    if (until := drilled_until(view, schedule)) is not None and now > until:
        allowed = format_duration(until - last.time)
        return False, "Stale", f"The last drill that passed, of {what}, is older than {allowed}.{trouble}"
    seconds = f"{last.restore_seconds:.0f} s"
    if last.target_seconds is not None and last.restore_seconds > last.target_seconds:
        words = f"The drill of {what} passed and took {seconds}, longer than the target of {last.target_seconds} s."
        return False, "TooSlow", words + trouble
    return (
        True,
        "Passed",
        f"The drill of {what} passed in {seconds}; {last.compared_count} things compared.{trouble}",
    )


def drilled_until(view: DrillView, schedule: Schedule | None) -> datetime | None:
    """When a drill that passed becomes too old."""
    if view.last is None or not view.last.passed or schedule is None:
        return None
    return view.last.time + longest_gap(schedule) + SLACK
