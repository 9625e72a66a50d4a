import json
from dataclasses import replace
from datetime import timedelta

import pytest
from domain_objects import COMPLETE, at, host, job_body, policy, run, store
from hypothesis import given
from hypothesis import strategies as st

from strongroom.api.labels import RESULT_ANNOTATION
from strongroom.domain.catchups import (
    LONGEST_PAUSE,
    choose_stores,
    find_due_times,
    has_place,
    pause_after,
    yields_at,
)
from strongroom.domain.catchupstatus import judge_catch_up
from strongroom.domain.holdings import Wanted
from strongroom.domain.jobs import build_catch_up_job
from strongroom.domain.jobstates import parse_job
from strongroom.domain.names import catch_up_job_name, job_name
from strongroom.domain.runrecords import record_run

ENDED = at("2026-11-22T02:02Z")
NOW = at("2026-11-22T12:00Z")
MINUTE = timedelta(minutes=1)
GOOD = {"store": "vault", "state": "Succeeded", "verifiedTime": "2026-11-22T02:01:00Z"}
LACKS = {"store": "usb", "state": "Failed", "reason": "StoreMissing", "message": "no folder"}


def ended(*copies, **status):
    told = {
        "phase": "Succeeded",
        "completionTime": "2026-11-22T02:02:00Z",
        "recoveryPoint": "default/orders/x",
    }
    told |= {"copies": list(copies or (GOOD, LACKS)), "policyUid": "uid-orders", "contents": "Whole"}
    return run(created=at("2026-11-22T02:00Z"), status=told | status)


def tried(times, last="2026-11-22T03:00:00Z"):
    return {"catchUp": {"attempts": times, "lastTime": last, "message": "no folder"}}


def ready_since(moment, status="True"):
    condition = {"type": "Ready", "status": status, "reason": "Reached", "lastTransitionTime": moment}
    return store("usb", {"conditions": [condition]}, local={"path": "/usb"})


def due(of, usb=None, now=NOW):
    record = record_run(of)
    stores = {"vault": store(), "usb": usb or store("usb")}
    (found,) = find_due_times([Wanted(record, record.lacks)], stores, now)
    return found.moment


@given(st.integers(0, 10_000), st.booleans())
def test_pauses_grow_with_each_attempt_and_never_beyond_a_day(attempts, is_back):
    pause = pause_after(attempts, is_back=is_back)
    assert pause <= pause_after(attempts + 1, is_back=is_back) <= LONGEST_PAUSE
    assert pause <= pause_after(attempts)


def test_a_failed_copy_is_caught_up_after_a_minute_and_one_that_was_too_slow_at_once():
    assert due(ended()) == ENDED + MINUTE
    assert due(ended(GOOD, LACKS | {"state": "Behind"})) == ENDED


def test_the_next_attempt_follows_from_what_the_status_remembers():
    assert due(ended(**tried(3))) == at("2026-11-22T03:00Z") + 8 * MINUTE


def test_a_store_that_works_again_is_copied_to_soon():
    back = ready_since("2026-11-22T04:00:00Z")
    assert due(ended(), back) == ENDED
    assert due(ended(**tried(10)), back) == at("2026-11-22T03:00Z") + 9 * MINUTE
    assert due(ended(**tried(10)), ready_since("2026-11-22T02:30:00Z")) > at("2026-11-22T12:00Z")
    down = ready_since("2026-11-22T04:00:00Z", status="False")
    assert due(ended(**tried(10)), down) > at("2026-11-22T12:00Z")


def test_an_attempt_that_lies_ahead_keeps_nothing_waiting():
    assert due(ended(**tried(3, last="2031-01-01T00:00:00Z"))) == NOW


def test_without_a_store_to_copy_from_or_to_nothing_is_due():
    record = record_run(ended())
    assert find_due_times([Wanted(record, record.lacks)], {"vault": store()}, NOW) == []
    assert find_due_times([Wanted(record, record.lacks)], {"usb": store("usb")}, NOW) == []


def test_copies_come_from_any_store_that_holds_one_and_go_only_to_the_policys():
    of = ended(GOOD | {"store": "former"}, LACKS, LACKS | {"store": "other"})
    stores = {name: store(name) for name in ("former", "usb", "other", "vault")}
    chosen, lacking = choose_stores(of, policy(stores=["vault", "usb"]), stores)
    assert ([each.meta.name for each in chosen], lacking) == (["former", "usb"], ["usb"])


def job(of=None, result=None, conditions=(COMPLETE,), **more):
    of = of or ended()
    body = build_catch_up_job(of, policy(stores=["vault", "usb"]), [store(), store("usb")], host(), "image")
    body["metadata"] |= {"uid": "uid-job", "creationTimestamp": "2026-11-22T02:05:00Z"}
    if result is not None:
        text = result if isinstance(result, str) else json.dumps(result)
        body["metadata"]["annotations"] = {RESULT_ANNOTATION: text}
    return parse_job(body | {"status": {"conditions": list(conditions), **more}})


def result(*copies, **changes):
    base = {"runUid": "uid-r1", "outcome": "Succeeded", "reason": "Succeeded", "copies": list(copies)}
    return base | {"startedAt": "2026-11-22T02:05:00Z", "finishedAt": "2026-11-22T02:06:00Z"} | changes


def test_the_job_reads_no_source_belongs_to_its_run_and_has_a_name_of_its_own_for_each_attempt():
    first, second = job(), job(ended(**tried(1)))
    assert (first.work, first.run, first.host) == (None, "r1", ("default", "local"))
    assert first.catch_up.recovery_point == "default/orders/x"
    assert [owner.kind for owner in first.meta.owner_references] == ["BackupRun"]
    assert first.meta.name == catch_up_job_name("r1", "uid-r1", 1)
    assert second.meta.name == catch_up_job_name("r1", "uid-r1", 2)
    assert len({first.meta.name, second.meta.name, job_name("r1", "uid-r1")}) == 3


def test_a_host_keeps_a_place_for_backups_and_restores():
    under_way = job(conditions=())
    assert has_place(host(maxConcurrentJobs=2), [job()])
    assert not has_place(host(maxConcurrentJobs=2), [under_way])
    assert has_place(host(maxConcurrentJobs=3), [under_way])
    assert has_place(host(maxConcurrentJobs=1), [])
    assert not has_place(host(maxConcurrentJobs=1), [under_way])
    assert not has_place(host(maxConcurrentJobs=3), [parse_job(job_body(run("r2")))])


def test_a_copy_makes_room_for_a_backup_that_its_host_does_not_take():
    under_way = job(conditions=(), startTime="2026-11-22T02:05:00Z")
    created = at("2026-11-22T03:00Z")
    waiting = parse_job(job_body(run("r2"), created=created))
    taken = parse_job(job_body(run("r2"), created=created, startTime="2026-11-22T03:00:01Z"))
    elsewhere = replace(waiting, host=("default", "other"))
    check = replace(waiting, store="usb")
    assert yields_at(under_way, [under_way, waiting]) == created + timedelta(seconds=15)
    assert yields_at(job(conditions=()), [waiting]) is None
    assert yields_at(under_way, [under_way, taken, elsewhere, check, job(conditions=())]) is None


def test_a_copy_that_was_caught_up_is_good_and_the_phase_stays():
    of = ended(phase="Partial")
    verdict = judge_catch_up(of, job(of, result({"store": "usb", "state": "Succeeded"})), NOW)
    copies = {copy.store: copy for copy in verdict.status.copies}
    assert (verdict.status.phase, verdict.event) == ("Partial", "CaughtUp")
    assert copies["usb"].state == "Succeeded"
    assert copies["usb"].verified_time == at("2026-11-22T02:06Z")
    assert copies["vault"].verified_time == at("2026-11-22T02:01Z")
    assert verdict.status.catch_up.attempts == 1
    assert "usb" in verdict.message


def test_a_failed_attempt_says_why_and_when_the_next_one_is():
    news = {"store": "usb", "state": "Failed", "reason": "StoreFull", "message": "no space"}
    away = {"store": "vault", "state": "Failed", "reason": "StoreUnreachable", "message": "no answer"}
    told = result(news, away, outcome="Failed", reason="StoreFull")
    verdict = judge_catch_up(ended(**tried(2)), job(ended(**tried(2)), told), NOW)
    assert verdict.event == "CatchUpFailed"
    assert [copy.state for copy in verdict.status.copies] == ["Succeeded", "Failed"]
    assert verdict.status.catch_up.attempts == 3
    assert "usb (StoreFull: no space)" in verdict.message
    assert "Attempt 4 follows at 2026-11-22T12:08:00Z" in verdict.message


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (job(), "ended without a result"),
        (job(result="{nonsense"), "cannot be read"),
        (job(result=result({"store": "usb", "state": "Succeeded"}, runUid="x")), "another run"),
        (job(result=result(outcome="Failed", reason="TargetBusy", message="busy")), "TargetBusy: busy"),
    ],
)
def test_what_is_no_result_of_this_run_makes_no_copy_good(of, words):
    verdict = judge_catch_up(ended(), of, NOW)
    assert verdict.status.copies == ended().status.copies
    assert verdict.status.catch_up.attempts == 1
    assert words in verdict.message


def test_what_a_job_says_of_stores_that_it_had_nothing_to_do_with_is_passed_over():
    told = result({"store": "usb", "state": "Succeeded"}, {"store": "tape", "state": "Succeeded"})
    verdict = judge_catch_up(ended(), job(result=told), NOW)
    assert [copy.store for copy in verdict.status.copies] == ["vault", "usb"]


def test_a_record_remembers_attempts_and_what_lacks():
    record = record_run(ended(**tried(2)))
    assert (record.attempts, record.attempted) == (2, at("2026-11-22T03:00Z"))
    assert [(lack.store, lack.reason) for lack in record.lacks] == [("usb", "StoreMissing")]
    assert replace(record, lacks=()).good_stores == ("vault",)
