"""What the operator makes of objects as they come in: the stores' contacts, whom a change concerns, and odd Jobs."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from tests.unit.domain import domain_objects as objects

from strongroom.api.fields import format_time
from strongroom.api.labels import RESULT_ANNOTATION
from strongroom.controllers.keys import Key
from strongroom.controllers.observed import Observed
from strongroom.domain.jobs import build_store_check_job
from strongroom.domain.jobstates import parse_job
from strongroom.kube.kinds import JOBS, RUNS, STORES

END = objects.at("2026-11-22T02:01:05Z")
ENDED = objects.COMPLETE | {"lastTransitionTime": format_time(END)}
VAULT = ("default", "vault")
versions = count(1)


@pytest.fixture
def observed() -> Observed:
    world = Observed()
    put(world, STORES, store_body())
    return world


def put(world: Observed, kind, body: dict[str, Any]) -> list[Key]:
    version = {"resourceVersion": str(next(versions))}
    return world.apply(kind, None, body | {"metadata": body["metadata"] | version})


def store_body(path: str = "/backups", generation: int = 1) -> dict[str, Any]:
    meta = objects.meta("vault") | {"generation": generation}
    return {"metadata": meta, "spec": {"local": {"path": path}}}


def run_body(status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"metadata": objects.meta("r1"), "spec": {"policy": "orders"}, "status": status or {}}


def report(**said: Any) -> dict[str, Any]:
    return {"store": "vault", "ready": True, "recoveryPoints": 1, "totalBytes": 5} | said


def ended_run_job(**said: Any) -> dict[str, Any]:
    result = objects.result("uid-r1", stores=[report()]) | said
    return objects.job_body(objects.run(), result=result, conditions=[ENDED])


def ended_check(store=None, host: str = "local", **said: Any) -> dict[str, Any]:
    store = store or objects.store()
    body = build_store_check_job(store, objects.host(host), END, "image")
    result = objects.result(store.meta.uid, artifacts=[], copies=[], stores=[report(recoveryPoints=0)]) | said
    meta = body["metadata"] | {"uid": f"uid-{host}", "creationTimestamp": format_time(END)}
    meta["annotations"] = {RESULT_ANNOTATION: objects.json.dumps(result)}
    return body | {"metadata": meta, "status": {"conditions": [ENDED]}}


def test_a_check_that_counted_before_a_run_committed_does_not_hide_the_runs_word(observed):
    early = {"startedAt": "2026-11-22T02:01:05.100Z", "finishedAt": "2026-11-22T02:01:05.900Z"}
    put(observed, JOBS, ended_run_job(finishedAt="2026-11-22T02:01:05.500Z"))
    put(observed, JOBS, ended_check(**early))
    (contact,) = observed.contacts.of(VAULT)
    assert not contact.is_check


def test_a_run_that_ended_in_the_same_second_after_a_check_is_heard(observed):
    early = {"startedAt": "2026-11-22T02:01:05.100Z", "finishedAt": "2026-11-22T02:01:05.200Z"}
    later = ended_run_job(finishedAt="2026-11-22T02:01:05.300Z")
    for jobs in ([ended_check(**early), later], [later, ended_check(**early)]):
        world = Observed()
        put(world, STORES, store_body())
        for job in jobs:
            put(world, JOBS, job)
        assert not world.contacts.of(VAULT)[0].is_check


def test_what_a_job_says_of_a_store_as_it_was_specified_before_is_not_said_of_the_new_one(observed):
    put(observed, STORES, store_body("/elsewhere", generation=2))
    put(observed, JOBS, ended_run_job())
    assert observed.contacts.of(VAULT) == []


def test_after_silence_any_word_counts_even_by_a_clock_that_is_behind(observed):
    observed.contacts.note_silence(VAULT, "default/local", END + timedelta(hours=1), 1)
    put(observed, JOBS, ended_run_job())
    (contact,) = observed.contacts.of(VAULT)
    assert contact.report.ready


def test_the_stores_of_a_run_are_looked_at_when_it_comes_to_hold_artifacts_and_when_it_loses_them(observed):
    good = {"phase": "Succeeded", "copies": [{"store": "vault", "state": "Succeeded"}]}
    assert Key(STORES, *VAULT) not in put(observed, RUNS, run_body())
    assert Key(STORES, *VAULT) in put(observed, RUNS, run_body(good))
    assert Key(STORES, *VAULT) not in put(observed, RUNS, run_body(good))
    pruned = good | {"prunedTime": format_time(END)}
    assert Key(STORES, *VAULT) in put(observed, RUNS, run_body(pruned))
    put(observed, RUNS, run_body(good))
    gone = run_body()["metadata"] | {"resourceVersion": str(next(versions))}
    assert Key(STORES, *VAULT) in observed.apply(RUNS, "DELETED", {"metadata": gone})


def test_a_job_with_a_deadline_beyond_the_calendar_is_taken_in_like_any_other():
    body = objects.job_body(objects.run())
    body["spec"]["activeDeadlineSeconds"] = 2**62
    assert parse_job(body).deadline <= timedelta(days=30)
