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
from strongroom.kube.kinds import HOSTS, JOBS, POLICIES, RUNS, STORES

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


HOST = Key(HOSTS, "default", "local")
ORDERS = Key(POLICIES, "default", "orders")
INSIDE = {"sources": [objects.container_source()]}


def policy_body(name: str = "orders", **spec: Any) -> dict[str, Any]:
    of = objects.policy(name, **spec)
    return {"metadata": objects.meta(name), "spec": of.spec.to_api()}


def host_body(**status: Any) -> dict[str, Any]:
    return {
        "metadata": objects.meta("local"),
        "spec": {},
        "status": objects.host(status=status).status.to_api(),
    }


def test_a_policy_that_comes_changes_or_goes_concerns_the_host_that_it_names_or_named(observed):
    put(observed, HOSTS, host_body())
    assert HOST in put(observed, POLICIES, policy_body())
    assert HOST not in put(observed, POLICIES, policy_body())
    assert HOST in put(observed, POLICIES, policy_body(host="other"))
    assert HOST not in put(observed, POLICIES, policy_body(host="other", suspend=True))
    put(observed, POLICIES, policy_body())
    gone = objects.meta("orders") | {"resourceVersion": str(next(versions))}
    assert HOST in observed.apply(POLICIES, "DELETED", {"metadata": gone})


def test_a_store_that_comes_concerns_the_host_whose_policies_write_to_it():
    world = Observed()
    put(world, HOSTS, host_body())
    put(world, POLICIES, policy_body())
    assert HOST in put(world, STORES, store_body())


def test_a_heartbeat_concerns_nobody_else_but_news_of_the_engine_or_its_databases_does(observed):
    engine = {"engine": {"version": "24.0.7"}}
    put(observed, POLICIES, policy_body())
    put(observed, HOSTS, host_body(**engine))
    assert put(observed, HOSTS, host_body(**engine, runningJobs=1)) == [HOST]
    assert put(observed, HOSTS, host_body(**engine, uncovered=["shop-db-1"])) == [HOST]
    assert ORDERS in put(observed, HOSTS, host_body(engine={"problem": "connection refused"}))
    assert ORDERS in put(observed, HOSTS, host_body(**engine, databases=[objects.database()]))


def test_policies_share_a_target_once_their_host_tells_that_two_names_are_one_container(observed):
    put(observed, HOSTS, host_body())
    put(observed, POLICIES, policy_body(**INSIDE))
    named = [objects.container_source(container={"name": "shop-db-1"})]
    put(observed, POLICIES, policy_body("twin", sources=named))
    assert observed.turns.sharing(("default", "orders")) == []
    touched = put(observed, HOSTS, host_body(databases=[objects.database()]))
    assert ORDERS in touched
    assert observed.turns.sharing(("default", "orders")) == ["twin"]


def test_a_job_under_way_keeps_its_containers_for_itself_by_what_was_ordered(observed):
    put(observed, HOSTS, host_body(databases=[objects.database()]))
    body = objects.job_body(objects.run(), of_policy=objects.policy(**INSIDE))
    put(observed, JOBS, body)
    twin = objects.policy("twin", sources=[objects.container_source(container={"name": "shop-db-1"})])
    targets = observed.turns.targets_of(twin)
    assert observed.turns.working_on(targets, ("default", "another")) == "run r1"
    assert observed.turns.working_on(targets, ("default", body["metadata"]["name"])) is None
