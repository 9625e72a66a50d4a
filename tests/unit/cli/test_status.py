from datetime import timedelta

from tests.unit.domain import domain_objects as objects

from strongroom.api.fields import format_time
from strongroom.cli.worries import (
    find_copy_notes,
    find_host_notes,
    find_last_failure,
    find_policy_notes,
    find_policy_worries,
    find_untrusted_notes,
)

NOW = objects.at("2026-11-22T02:00Z")


def policy(**status):
    conditions = [
        {"type": type_, "status": "True", "reason": "Fine", "lastTransitionTime": format_time(NOW)}
        for type_ in ("Ready", "Fresh")
    ]
    told = {"observedGeneration": 1, "conditions": conditions}
    told |= {"freshUntil": format_time(NOW + timedelta(hours=1))}
    told |= {"nextScheduleTime": format_time(NOW + timedelta(minutes=30))}
    return objects.policy(status=told | status)


def test_a_policy_that_is_ready_and_fresh_is_no_worry():
    assert find_policy_worries(policy(), NOW) == []


def test_a_policy_that_stayed_fresh_only_because_nobody_looked_is_a_worry():
    (worry,) = find_policy_worries(policy(freshUntil=format_time(NOW - timedelta(minutes=10))), NOW)
    assert "operator" in worry


def test_what_lies_in_a_store_and_is_not_to_be_trusted_is_worth_a_look():
    told = policy().status.model_dump(mode="json", by_alias=True)["conditions"]
    told.append(
        told[0] | {"type": "UntrustedPoints", "message": "disk: 1 recovery point: n/p/x: it was moved"}
    )
    (note,) = find_untrusted_notes(policy(conditions=told))
    assert "BackupPolicy orders: disk: 1 recovery point" in note
    assert find_untrusted_notes(policy()) == []


def test_a_slot_that_nobody_acted_upon_is_a_worry():
    assert find_policy_worries(policy(nextScheduleTime=format_time(NOW - timedelta(minutes=1))), NOW) == []
    (worry,) = find_policy_worries(policy(nextScheduleTime=format_time(NOW - timedelta(minutes=10))), NOW)
    assert "operator" in worry


def test_a_changed_policy_that_nobody_has_looked_at_is_a_worry():
    (worry,) = find_policy_worries(policy(observedGeneration=0), NOW)
    assert "operator" in worry


def test_a_failed_run_is_told_also_while_an_older_backup_is_fresh():
    failed = policy(
        lastRun="a", lastRunPhase="Failed", message="Run a ended Failed (SecretMissing): no Secret"
    )
    assert find_policy_worries(failed, NOW) == []
    assert "SecretMissing" in find_last_failure(failed)
    assert find_last_failure(policy(lastRun="a", lastRunPhase="Succeeded")) is None


def on_demand(**status):
    conditions = [
        {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": format_time(NOW)},
        {"type": "Fresh", "status": "Unknown", "reason": "OnDemand", "lastTransitionTime": format_time(NOW)},
    ]
    told = {"observedGeneration": 1, "conditions": conditions}
    return objects.policy("config", schedule=None, status=told | status)


def test_a_policy_on_demand_is_no_worry_and_a_note_until_it_was_asked_once():
    assert find_policy_worries(on_demand(), NOW) == []
    (note,) = find_policy_notes(on_demand())
    assert "strongroom backup config" in note
    success = {"time": format_time(NOW), "run": "a", "sizeBytes": 1, "durationSeconds": 1}
    assert find_policy_notes(on_demand(lastSuccess=success, lastRunPhase="Succeeded")) == []


def test_a_partial_run_is_told_although_an_older_backup_is_fresh():
    said = "Run a ended Partial (FilesChanged): 2 files changed"
    partial = policy(lastRun="a", lastRunPhase="Partial", message=said)
    assert find_policy_worries(partial, NOW) == []
    assert "FilesChanged" in find_last_failure(partial)


SUCCESS = {"time": format_time(NOW), "run": "a", "sizeBytes": 1, "durationSeconds": 1}


def test_a_run_that_was_partial_until_its_copies_were_caught_up_is_no_failure():
    assert find_last_failure(policy(lastRun="a", lastRunPhase="Partial", lastSuccess=SUCCESS)) is None


def test_copies_that_lack_and_what_is_missing_for_three_two_one_are_worth_a_look():
    judged = {"type": "CopiesSatisfied", "status": "False", "reason": "TooFewCopies"}
    judged |= {"lastTransitionTime": format_time(NOW), "message": "For 3-2-1 is missing: an offsite copy."}
    held = [{"store": "disk", "points": 3}]
    held += [{"store": "usb", "points": 1, "lacking": 2, "message": "usb (StoreMissing: no folder)"}]
    of = policy(conditions=[judged], copies=held, lastSuccess=SUCCESS)
    assert find_copy_notes(of) == [
        "BackupPolicy orders: 2 recovery points to be copied yet to usb (StoreMissing: no folder)",
        "BackupPolicy orders: For 3-2-1 is missing: an offsite copy.",
    ]
    assert find_copy_notes(policy(conditions=[judged])) == []


def test_an_engine_that_does_not_answer_is_worth_a_look():
    away = {"type": "EngineReady", "status": "False", "reason": "X", "lastTransitionTime": format_time(NOW)}
    (note,) = find_host_notes(objects.host(status={"conditions": [away | {"message": "It is away."}]}))
    assert note == "DockerHost local: It is away."


def test_databases_that_no_policy_dumps_are_worth_a_look():
    covered = {"type": "DatabasesCovered", "reason": "X", "lastTransitionTime": format_time(NOW)}
    told = covered | {"status": "False", "message": "No policy dumps: shop/db (container shop-db-1)."}
    (note,) = find_host_notes(objects.host(status={"conditions": [told]}))
    assert "shop-db-1" in note
    assert find_host_notes(objects.host(status={"conditions": [covered | {"status": "True"}]})) == []
