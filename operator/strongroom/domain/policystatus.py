"""The status of a policy from all that is known of it: computed whole each time, so that no event can be missed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from strongroom.api.backuppolicy import BackupPolicySpec, BackupPolicyStatus, LastSuccess
from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.conditions import (
    DRILLED,
    ENCRYPTION_UNAUTHENTICATED,
    FOREIGN_HISTORY,
    FRESH,
    MESSAGE_LENGTH,
    READY,
    RETENTION_BLOCKED,
    TARGET_SHARED,
    UNTRUSTED_POINTS,
    Condition,
    build_condition,
    find_condition,
    with_condition,
)
from strongroom.api.errors import StrongroomError
from strongroom.api.fields import format_time
from strongroom.api.labels import ADOPT_ANNOTATION
from strongroom.api.resources import BackupPolicy
from strongroom.domain.adoption import counts_as_backup, find_foreign, is_own
from strongroom.domain.copies import judge_copies, judge_no_backup
from strongroom.domain.drills import DrillView, judge_drilled, parse_drill_schedule
from strongroom.domain.freshness import CLOCK_TOLERANCE, judge_freshness, max_age
from strongroom.domain.holdings import Holding, find_holdings, fresh_until, judge_holdings
from strongroom.domain.policies import Problem, is_clock_suspect
from strongroom.domain.runrecords import RunRecord, counts, newest_finished, newest_success
from strongroom.domain.schedule import Schedule, jitter_offset, next_slot
from strongroom.domain.spans import parse_span


@dataclass(frozen=True)
class PolicyFacts:
    """What a policy's status is computed from. `last_slot` is the newest slot that was ever decided."""

    policy: BackupPolicy
    schedule: Schedule | None
    problem: Problem | None
    records: Sequence[RunRecord]
    stores: Mapping[str, BackupStoreSpec]
    shared_with: Sequence[str]
    last_slot: datetime | None
    now: datetime
    drills: DrillView = field(default_factory=DrillView)
    clock_trouble: str | None = None
    """Why the operator's clock is not to be trusted, if it is not."""


def build_policy_status(facts: PolicyFacts) -> BackupPolicyStatus:
    """The whole status. Conditions keep their transition times; RetentionBlocked and those after it stand only if true."""
    policy, last = facts.policy, _last_success(facts)
    conditions = list(policy.status.conditions)
    fresh = judge_freshness(
        last,
        max_age(policy.spec, facts.schedule),
        facts.now,
        policy.meta.generation,
        on_demand=policy.spec.schedule is None,
    )
    computed = [_ready(facts), fresh.condition]
    holdings = find_holdings(policy, _backups(facts), facts.now)
    computed.append(_copies_satisfied(facts, holdings, last, facts.now))
    for condition in computed:
        conditions = with_condition(conditions, condition)
    conditions = _put(conditions, RETENTION_BLOCKED, _retention_blocked(facts))
    conditions = _put(conditions, UNTRUSTED_POINTS, _untrusted_points(facts))
    conditions = _put(conditions, TARGET_SHARED, _target_shared(facts))
    conditions = _put(conditions, ENCRYPTION_UNAUTHENTICATED, _unauthenticated(facts))
    conditions = _put(
        conditions, DRILLED, judge_drilled(policy, facts.drills, drill_schedule(facts), facts.now)
    )
    conditions = _put(conditions, FOREIGN_HISTORY, _foreign_history(facts))
    finished = newest_finished(record for record in facts.records if is_own(policy, record))
    update = {
        "observed_generation": policy.meta.generation,
        "conditions": conditions,
        "last_schedule_time": facts.last_slot,
        "next_schedule_time": next_start(facts),
        "last_success": last,
        "fresh_until": fresh.fresh_until,
        "last_drill": facts.drills.last,
        "pending_drill": facts.drills.pending,
        "next_drill_time": _next_drill(facts),
        **_last_run(finished),
        "artifact_count": holdings[0].points,
        "total_bytes": holdings[0].size_bytes,
        "copies": [holding.describe() for holding in holdings],
        "message": _message(conditions, finished, policy.spec)[:MESSAGE_LENGTH],
    }
    return policy.status.model_copy(update=update)


def copies_satisfied_until(facts: PolicyFacts) -> datetime | None:
    """When CopiesSatisfied turns False by itself, because copies become too old; None if it does not, or is not True."""
    allowed, last = max_age(facts.policy.spec, facts.schedule), _last_success(facts)
    holdings = find_holdings(facts.policy, _backups(facts), facts.now)
    ends = {
        until for each in holdings if (until := fresh_until(each, allowed)) is not None and until >= facts.now
    }
    if _copies_satisfied(facts, holdings, last, facts.now).status != "True":
        return None
    after = ((end, end + timedelta(seconds=1)) for end in sorted(ends))
    return next(
        (end for end, then in after if _copies_satisfied(facts, holdings, last, then).status != "True"), None
    )


def _copies_satisfied(
    facts: PolicyFacts, holdings: Sequence[Holding], last: LastSuccess | None, now: datetime
) -> Condition:
    generation = facts.policy.meta.generation
    if last is None and not any(holding.newest for holding in holdings):
        return judge_no_backup(now, generation)
    allowed = max_age(facts.policy.spec, facts.schedule)
    return judge_copies(judge_holdings(holdings, facts.stores, facts.records, allowed, now), now, generation)


def next_start(facts: PolicyFacts) -> datetime | None:
    """When the next scheduled run starts, jitter included; None while none will."""
    spec = facts.policy.spec
    if facts.schedule is None or spec.suspend:
        return None
    offset = jitter_offset(facts.policy.meta.uid, parse_span(spec.jitter))
    after = facts.now - offset
    if facts.last_slot is not None:
        after = max(after, facts.last_slot)
    if facts.policy.meta.creation_timestamp is not None:
        after = max(after, facts.policy.meta.creation_timestamp)
    return next_slot(facts.schedule, after) + offset


def drill_schedule(facts: PolicyFacts) -> Schedule | None:
    """When the policy drills; None if it does not, or its schedule cannot be read."""
    try:
        return parse_drill_schedule(facts.policy.spec)
    except StrongroomError:
        return None


def _next_drill(facts: PolicyFacts) -> datetime | None:
    schedule, drill = drill_schedule(facts), facts.policy.spec.drill
    return None if schedule is None or drill is None or drill.suspend else next_slot(schedule, facts.now)


def _ready(facts: PolicyFacts) -> Condition:
    problem, blocked = facts.problem, facts.problem is not None and facts.problem.blocks
    is_suspect = facts.clock_trouble is not None
    is_suspect = is_suspect or is_clock_suspect(facts.last_slot, facts.now, CLOCK_TOLERANCE)
    if problem is not None and (blocked or not is_suspect):
        status, reason, message = False, problem.reason.name, problem.message
    elif facts.clock_trouble is not None:
        status, reason, message = False, "ClockSuspect", facts.clock_trouble
    elif facts.last_slot is not None and is_suspect:
        ahead = format_time(facts.last_slot)
        status, reason = False, "ClockSuspect"
        message = (
            f"status.lastScheduleTime: the slot of {ahead} was decided and lies ahead: the clock was or is wrong, and "
            "nothing is scheduled before it. Correct the clock; runs by hand work; a recreated policy starts anew."
        )
    elif facts.policy.spec.suspend:
        status, reason, message = True, "Suspended", "spec.suspend is true: no scheduled run starts."
    else:
        status, reason, message = True, "Ready", "The policy can be carried out."
    return build_condition(
        READY,
        status=status,
        reason=reason,
        message=message,
        now=facts.now,
        generation=facts.policy.meta.generation,
    )


def _last_success(facts: PolicyFacts) -> LastSuccess | None:
    """The newest verified backup; one whose run was deleted by hand is remembered by the status.

    One whose run is there and counts no more, because its copies were lost, is not.
    """
    known = facts.policy.status.last_success
    record = newest_success(_backups(facts), facts.policy.spec)
    if known is not None and any(
        (other.name, other.moment) == (known.run, known.time) for other in facts.records
    ):
        known = None
    if record is None or (known is not None and known.time > record.moment):
        return known
    return LastSuccess(
        time=record.moment,
        run=record.name,
        size_bytes=record.size_bytes or 0,
        duration_seconds=record.duration_seconds or 0.0,
    )


def _backups(facts: PolicyFacts) -> list[RunRecord]:
    """Runs that show what the policy protects: its own, and those of an earlier policy of its name."""
    return [record for record in facts.records if counts_as_backup(facts.policy, record)]


def _foreign_history(facts: PolicyFacts) -> Condition | None:
    """Backups of the same name that retention leaves alone, and how to change that: nothing to worry about."""
    foreign = find_foreign(facts.policy, facts.records)
    if not foreign:
        return None
    uids = sorted({record.policy_uid or "" for record in foreign})
    more = f" and {len(uids) - 4} more" if len(uids) > 4 else ""
    return build_condition(
        FOREIGN_HISTORY,
        status=True,
        reason="OtherPolicy",
        message=f"{len(foreign)} backups were made by an earlier policy of this name, or by one elsewhere (uid {', '.join(uids[:4])}{more}). "
        "They can be restored, and count as fresh if they are older than this policy; its retention never deletes them. "
        f"If they are this policy's own history: kubectl annotate bp {facts.policy.meta.name} {ADOPT_ANNOTATION}={','.join(uids[:4])}",
        now=facts.now,
        generation=facts.policy.meta.generation,
    )


def _retention_blocked(facts: PolicyFacts) -> Condition | None:
    newest = newest_finished(record for record in facts.records if record.phase in ("Succeeded", "Partial"))
    if newest is None or not newest.blocked:
        return None
    return build_condition(
        RETENTION_BLOCKED,
        status=True,
        reason="RetentionBlocked",
        message=f"Nothing was deleted after run {newest.name}. {'; '.join(newest.blocked)}",
        now=facts.now,
        generation=facts.policy.meta.generation,
    )


def find_newest_look(records: Iterable[RunRecord]) -> RunRecord | None:
    """The newest run that has looked at all that its stores hold."""
    return newest_finished(record for record in records if record.phase in ("Succeeded", "Partial"))


def _untrusted_points(facts: PolicyFacts) -> Condition | None:
    """What the newest backup's retention has met in the stores."""
    newest = find_newest_look(facts.records)
    if newest is None or not newest.untrusted:
        return None
    message = (
        f"Neither counted nor ever deleted, as of run {newest.name}. {'; '.join(newest.untrusted)}. Look who has "
        "changed them; what was made before spec.signing is removed by hand once it is not needed."
    )
    return build_condition(
        UNTRUSTED_POINTS,
        status=True,
        reason="NotToBeTrusted",
        message=message[:MESSAGE_LENGTH],
        now=facts.now,
        generation=facts.policy.meta.generation,
    )


def _target_shared(facts: PolicyFacts) -> Condition | None:
    if not facts.shared_with:
        return None
    return build_condition(
        TARGET_SHARED,
        status=True,
        reason="TargetShared",
        message=f"What this policy reads or stops is also read or stopped by: {', '.join(facts.shared_with)}. Runs wait for each other.",
        now=facts.now,
        generation=facts.policy.meta.generation,
    )


def _unauthenticated(facts: PolicyFacts) -> Condition | None:
    encryption = facts.policy.spec.encryption
    if encryption is None or encryption.openssl is None:
        return None
    return build_condition(
        ENCRYPTION_UNAUTHENTICATED,
        status=True,
        reason="OpensslEnc",
        message="spec.encryption.openssl: openssl decrypts changed bytes without a word. The manifest's HMAC-SHA256 shows tampering "
        "to whoever compares it, and whoever has the passphrase can also encrypt. Prefer age or gpg.",
        now=facts.now,
        generation=facts.policy.meta.generation,
    )


def _put(conditions: list[Condition], type_: str, condition: Condition | None) -> list[Condition]:
    if condition is not None:
        return with_condition(conditions, condition)
    return [other for other in conditions if other.type != type_]


def _last_run(finished: RunRecord | None) -> dict[str, object]:
    """A history that was deleted by hand does not make the status forget."""
    return {} if finished is None else {"last_run": finished.name, "last_run_phase": finished.phase}


def _message(conditions: Sequence[Condition], finished: RunRecord | None, spec: BackupPolicySpec) -> str:
    """What matters most: a policy that cannot work, a run that failed, no fresh backup; else that all is well."""
    ready, fresh = find_condition(conditions, READY), find_condition(conditions, FRESH)
    if ready is not None and ready.status != "True":
        return ready.message
    if finished is not None and finished.phase != "Succeeded" and not counts(finished, spec):
        return f"Run {finished.name} ended {finished.phase} ({finished.result}): {finished.message}"
    if fresh is not None and fresh.status != "True":
        return fresh.message
    if ready is not None and ready.reason == "Suspended":
        return ready.message
    return fresh.message if fresh is not None else ""
