"""Drills: due once a slot, from store to store, tried again when they could not run, an alarm when they did not pass."""

import json
from datetime import timedelta
from typing import Any

from tests.unit.domain import domain_objects as objects
from tests.unit.domain.domain_objects import at

from strongroom.api.drills import LastDrill, PendingDrill
from strongroom.api.labels import RESULT_ANNOTATION
from strongroom.api.resources import BackupPolicy
from strongroom.domain.drillorders import build_drill_order
from strongroom.domain.drills import (
    DrillFacts,
    DrillView,
    drill_uid,
    judge_drilled,
    next_drill_step,
    parse_drill_schedule,
)
from strongroom.domain.jobs import build_drill_job
from strongroom.domain.jobstates import JobState, parse_job
from strongroom.domain.names import drill_job_name
from strongroom.domain.runrecords import record_run

SUNDAY = at("2026-11-08T04:00:00+00:00")
DRILL = {"schedule": "0 4 * * 0"}
STORES = ["vault", "bucket", "away"]


def policy(status: dict | None = None, **drill: Any) -> BackupPolicy:
    return objects.policy(status=status, stores=STORES, drill=DRILL | drill)


def records(*stores: str):
    copies = [{"store": store, "state": "Succeeded"} for store in stores or STORES]
    status = {
        "phase": "Succeeded",
        "copies": copies,
        "policyUid": "uid-orders",
        "recoveryPoint": "default/orders/x",
    }
    return [record_run(objects.run("r1", status=status))]


def facts(of: BackupPolicy, now=SUNDAY, *, job: JobState | None = None, held=(), problem: str | None = None):
    schedule = parse_drill_schedule(of.spec)
    assert schedule is not None
    return DrillFacts(of, of.spec.drill, schedule, records(*held), job, problem, now)


def kept(of: BackupPolicy, view: DrillView) -> BackupPolicy:
    """The policy once the view is in its status."""
    names = {"lastDrill": view.last, "pendingDrill": view.pending}
    status = {name: value.to_api() for name, value in names.items() if value is not None}
    return policy(
        status, **({"targetSeconds": of.spec.drill.target_seconds} if of.spec.drill.target_seconds else {})
    )


def job(of: BackupPolicy, pending: PendingDrill, result: dict | None = None) -> JobState:
    uid = drill_uid(of.meta.uid, pending.slot, pending.attempt)
    run = objects.run(pending.run, status={"recoveryPoint": "default/orders/x"})
    order = build_drill_order(of, run, [objects.store(pending.store)], uid)
    name = drill_job_name(of.meta.name, of.meta.uid, pending.slot, pending.attempt)
    body = build_drill_job(of, order, name, objects.host(), "image")
    body["metadata"] |= {
        "uid": "uid-job",
        "creationTimestamp": pending.slot.isoformat(),
        "resourceVersion": "1",
    }
    conditions = []
    if result is not None:
        body["metadata"]["annotations"] = {RESULT_ANNOTATION: json.dumps(result | {"runUid": uid})}
        conditions = [objects.COMPLETE]
    return parse_job(body | {"status": {"conditions": conditions}})


def told(passed: bool = True, **changes: Any) -> dict[str, Any]:
    check = {
        "name": "rows of public.orders",
        "passed": passed,
        "expected": "3",
        "found": "3" if passed else "2",
    }
    drill = {"passed": passed, "store": "vault", "recoveryPoint": "default/orders/x", "run": "r1"}
    drill |= {"restoreSeconds": 12.0, "checks": [check], "comparedCount": 1}
    base = {"outcome": "Succeeded", "reason": "Succeeded", "message": "", "drill": drill}
    times = {"startedAt": "2026-11-08T04:00:05Z", "finishedAt": "2026-11-08T04:00:17Z"}
    return base | times | changes


def test_nothing_is_drilled_before_the_first_slot():
    step = next_drill_step(facts(policy(), SUNDAY - timedelta(minutes=1)))
    assert (step.make_job, step.view.pending, step.until) == (False, None, SUNDAY)


def test_a_slot_makes_one_drill_of_the_newest_backup_and_its_result_ends_it():
    first = next_drill_step(facts(policy()))
    assert first.make_job
    assert (first.view.pending.run, first.view.pending.store) == ("r1", "vault")
    begun = kept(policy(), first.view)
    under_way = next_drill_step(facts(begun, job=job(begun, first.view.pending)))
    assert not under_way.make_job
    done = next_drill_step(facts(begun, job=job(begun, first.view.pending, told())))
    assert done.view.pending is None
    assert (done.view.last.passed, done.view.last.restore_seconds) == (True, 12.0)
    again = next_drill_step(facts(kept(begun, done.view), SUNDAY + timedelta(days=1)))
    assert (again.make_job, again.view.pending) == (False, None)


def test_a_status_that_was_not_written_makes_the_same_job_again():
    one, two = (next_drill_step(facts(policy(), SUNDAY + timedelta(minutes=n))) for n in (0, 5))
    assert one.view.pending == two.view.pending


def test_the_stores_take_turns():
    seen = []
    of, now = policy(), SUNDAY
    for _ in range(4):
        step = next_drill_step(facts(of, now))
        seen.append(step.view.pending.store)
        result = told()
        result["drill"]["store"] = step.view.pending.store
        of = kept(of, step.view)
        of = kept(of, next_drill_step(facts(of, now, job=job(of, step.view.pending, result))).view)
        now += timedelta(weeks=1)
    assert seen == ["vault", "bucket", "away", "vault"]


def test_a_store_without_a_good_copy_is_passed_over():
    last = LastDrill(slot=SUNDAY, time=SUNDAY, passed=True, run="r0", store="vault", restore_seconds=1)
    of = kept(policy(), DrillView(last))
    step = next_drill_step(facts(of, SUNDAY + timedelta(weeks=1), held=("vault", "away")))
    assert step.view.pending.store == "away"


def test_a_drill_that_could_not_run_is_tried_again_after_growing_pauses_and_is_no_word_about_the_backup():
    of = kept(policy(), next_drill_step(facts(policy())).view)
    failed = told(outcome="Failed", reason="EngineUnreachable", message="no Engine", drill=None)
    step = next_drill_step(facts(of, job=job(of, of.status.pending_drill, failed)))
    assert (step.view.pending.attempt, step.view.pending.reason) == (2, "EngineUnreachable")
    assert step.until == SUNDAY + timedelta(minutes=10)
    of = kept(of, step.view)
    assert not next_drill_step(facts(of, SUNDAY + timedelta(minutes=9))).make_job
    second = next_drill_step(facts(of, SUNDAY + timedelta(minutes=10)))
    assert second.make_job
    condition = judge_drilled(of, step.view, parse_drill_schedule(of.spec), SUNDAY)
    assert (condition.status, condition.reason) == ("False", "CouldNotRun")


def test_a_newer_slot_takes_the_place_of_one_that_could_not_run():
    pending = PendingDrill(
        slot=SUNDAY, attempt=9, failed_time=SUNDAY + timedelta(days=6), reason="HostNotReady"
    )
    step = next_drill_step(facts(kept(policy(), DrillView(None, pending)), SUNDAY + timedelta(weeks=1)))
    assert (step.view.pending.slot, step.view.pending.attempt) == (SUNDAY + timedelta(weeks=1), 1)


def test_without_a_backup_or_a_host_no_job_is_made_and_the_reason_is_told():
    of = policy()
    bare = DrillFacts(of, of.spec.drill, parse_drill_schedule(of.spec), [], None, None, SUNDAY)
    assert next_drill_step(bare).view.pending.reason == "BackupNotFound"
    away = next_drill_step(facts(of, problem="the agent is not alive"))
    assert (away.make_job, away.view.pending.message) == (False, "the agent is not alive")


def test_a_failed_check_is_an_alarm_whatever_the_worker_claims():
    of = kept(policy(), next_drill_step(facts(policy())).view)
    lying = told(passed=False)
    lying["drill"]["passed"] = True
    step = next_drill_step(facts(of, job=job(of, of.status.pending_drill, lying)))
    assert not step.view.last.passed
    condition = judge_drilled(of, step.view, parse_drill_schedule(of.spec), SUNDAY)
    assert condition.status == "False"


def test_drilled_tells_what_is_so():
    schedule = parse_drill_schedule(policy().spec)

    def judged(now=SUNDAY, target=None, **last: Any):
        base = {
            "slot": SUNDAY,
            "time": SUNDAY,
            "passed": True,
            "run": "r1",
            "store": "vault",
            "restore_seconds": 100,
        }
        view = (
            DrillView(LastDrill(**base | {"target_seconds": target} | last))
            if last is not None
            else DrillView()
        )
        return judge_drilled(policy(), view, schedule, now)

    assert judge_drilled(objects.policy(), DrillView(), None, SUNDAY) is None
    assert judge_drilled(policy(), DrillView(), schedule, SUNDAY).status == "Unknown"
    assert (judged().status, judged().reason) == ("True", "Passed")
    assert judged(target=60).reason == "TooSlow"
    assert judged(SUNDAY + timedelta(days=8, hours=2)).reason == "Stale"
    assert judged(passed=False, reason="ComparisonFailed", message="2 rows").reason == "ComparisonFailed"


def test_a_suspended_drill_is_not_begun():
    assert next_drill_step(facts(policy(suspend=True))).view.pending is None
