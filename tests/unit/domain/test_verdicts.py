"""How many good copies make a success."""

import json

import pytest
from domain_objects import COMPLETE, host, policy, result, run, store
from hypothesis import given
from hypothesis import strategies as st

from strongroom.api.labels import RESULT_ANNOTATION
from strongroom.domain.jobs import build_job
from strongroom.domain.jobstates import parse_job
from strongroom.domain.verdicts import judge_job

STORES = ("a", "b", "c")


def verdict(states, min_copies=None, **changes):
    of = policy(stores=list(STORES), **({} if min_copies is None else {"minCopies": min_copies}))
    body = build_job(run(), of, [store(name) for name in STORES], host(), [], "image")
    copies = [
        {"store": name, "state": state, "reason": None if state == "Succeeded" else "StoreFull"}
        for name, state in zip(STORES, states, strict=False)
    ]
    all_good = set(states) == {"Succeeded"}
    told = {"outcome": "Succeeded" if all_good else "Partial", "contents": "Whole", "copies": copies}
    told |= {} if all_good else {"reason": "StoreFull", "message": "store b: no space"}
    body["metadata"] |= {
        "uid": "uid-job",
        "creationTimestamp": "2026-11-22T02:00:00Z",
        "annotations": {RESULT_ANNOTATION: json.dumps(result("uid-r1", **(told | changes)))},
    }
    return judge_job(parse_job(body | {"status": {"conditions": [COMPLETE]}}), "uid-r1")


states = st.lists(st.sampled_from(["Succeeded", "Failed", "Behind"]), max_size=3)


@given(states, st.one_of(st.none(), st.integers(1, 3)))
def test_a_run_succeeds_with_as_many_good_copies_as_the_policy_asks_for_and_is_partial_with_fewer(
    states, needed
):
    good = states.count("Succeeded")
    expected = "Failed" if not good else "Succeeded" if good >= (needed or 3) else "Partial"
    found = verdict(states, needed)
    assert found.phase == expected
    assert all(
        name in found.message
        for name, state in zip(STORES, states, strict=False)
        if good and state != "Succeeded"
    )


def test_a_success_that_lacks_a_copy_names_the_store_and_its_reason_and_says_what_follows():
    found = verdict(["Succeeded", "Failed", "Succeeded"], 2)
    assert (found.phase, found.reason) == ("Succeeded", "Succeeded")
    assert "b (StoreFull" in found.message
    assert "copied later from a" in found.message


def test_too_few_copies_tell_how_many_there_must_be():
    found = verdict(["Succeeded", "Failed", "Behind"], 2)
    assert (found.phase, found.reason) == ("Partial", "StoreFull")
    assert found.message.startswith("1 of the 2 stores that must hold a copy do.")
    assert "c (Behind)" not in found.message
    assert "c (StoreFull)" in found.message


def test_a_store_that_the_result_does_not_tell_of_holds_nothing():
    found = verdict(["Succeeded", "Succeeded"])
    assert found.phase == "Partial"
    assert "c (WorkerLost" in found.message


@pytest.mark.parametrize("min_copies", [None, 1])
def test_changed_files_are_partial_however_many_copies_there_are(min_copies):
    changed = {"contents": "Changed", "outcome": "Partial", "reason": "FilesChanged", "message": "2 files"}
    found = verdict(["Succeeded"] * 3, min_copies, **changed)
    assert (found.phase, found.reason) == ("Partial", "FilesChanged")


def test_a_partial_result_that_does_not_say_whether_it_is_whole_stays_partial():
    assert verdict(["Succeeded"] * 3, 1, contents=None, outcome="Partial").phase == "Partial"


def test_a_source_without_an_artifact_is_never_a_success():
    artifact = result("x")["artifacts"][0] | {"source": "other"}
    assert verdict(["Succeeded"] * 3, outcome="Partial", artifacts=[artifact]).phase == "Partial"
    assert verdict(["Succeeded"] * 3, artifacts=[artifact]).phase == "Failed"
