"""What is next with a restore: its plan tells how long drills took; what it has kept is dropped in its time, and told as it was."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.unit.domain import domain_objects as objects
from tests.unit.domain.domain_objects import at

from strongroom.api.resources import RestoreRequest, parse_restore
from strongroom.domain.jobstates import JobState, parse_job
from strongroom.domain.restores import RestoreFacts, next_step
from strongroom.domain.restorestatus import build_status
from strongroom.domain.restoresteps import AwaitConfirmation, Dropped, MakeJob, Rest

NOW = at("2026-11-08T04:00:00+00:00")
KEPT = {"source": "db", "kind": "database", "original": "orders", "keptAs": "orders_replaced_1"}


def request(**status: Any) -> RestoreRequest:
    spec = {"from": {"policy": "orders", "latest": True}, "target": {"mode": "InPlace"}}
    return parse_restore({"metadata": objects.meta("back"), "spec": spec, "status": status})


def ended(**status: Any) -> RestoreRequest:
    times = {"completionTime": "2026-11-07T04:00:00Z", "dropTime": "2026-11-08T04:00:00Z"}
    return request(phase="Succeeded", replaced=[KEPT], message="Restored.", **(times | status))


def facts(of: RestoreRequest, **more: Any) -> RestoreFacts:
    known = {"problem": None, "jobs": {}, "safety": None, "needs_safety": False, "busy": None}
    return RestoreFacts(request=of, host_is_alive=True, now=NOW, **(known | more))


def job(**result: Any) -> JobState:
    """One that has ended, with what its worker told."""
    told = objects.result("uid-back", **result)
    return parse_job(objects.job_body(objects.run(), result=told, conditions=[objects.COMPLETE]))


def test_a_plan_tells_how_long_the_last_drill_took():
    plan = {
        "recoveryPoint": "default/orders/x",
        "run": "r1",
        "slot": "2026-11-07T04:00:00Z",
        "manifestSha256": objects.SHA,
        "stores": ["vault"],
        "confirmation": "orders",
        "lines": [f"line {number}" for number in range(64)],
    }
    planned = job(plan=plan)
    for seconds in (None, 12.4):
        step = next_step(facts(request(), jobs={"plan": planned}, expected_seconds=seconds))
        assert isinstance(step, AwaitConfirmation)
        assert step.plan.expected_seconds == seconds
        assert len(step.plan.lines) == 64
        assert ("in 12 s" in step.plan.lines[-1]) == (seconds is not None)


def test_what_is_kept_is_dropped_in_its_time_and_not_by_a_clock_that_leapt():
    assert next_step(facts(ended())) == MakeJob("drop")
    early = replace(facts(ended()), now=NOW - timedelta(seconds=1))
    assert next_step(early) == Rest(NOW)
    suspect = facts(ended(), clock_is_suspect=True)
    assert isinstance(next_step(suspect), Rest)
    assert next_step(facts(ended(), clock_ahead=timedelta(hours=3))) == Rest(NOW + timedelta(hours=3))


def test_a_drop_that_found_nothing_does_not_say_that_it_dropped():
    done = job(message="not there any more: orders_replaced_1")
    step = next_step(facts(ended(), jobs={"drop": done}))
    assert step == Dropped(told="not there any more: orders_replaced_1")
    status = build_status(ended(), step, None, NOW)
    assert status.dropped_time == NOW
    assert status.message is not None
    assert "is gone since 2026-11-08T04:00:00Z: not there any more: orders_replaced_1" in status.message
