from datetime import UTC, datetime, timedelta

import pytest

from strongroom.agent.jobstatuses import JobReason, build_finished, build_running

T0 = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def finished(reason, *, now=T0, message=""):
    return build_finished(start_time=T0, now=now, reason=reason, message=message, failed=1)


def test_a_running_job_has_a_start_and_counters():
    assert build_running(start_time=T0, active=1, failed=2) == {
        "startTime": "2026-11-22T02:00:00Z",
        "active": 1,
        "ready": 1,
        "failed": 2,
    }


def test_only_a_complete_job_has_succeeded_and_a_completion_time():
    status = finished(JobReason.CompletionsReached)
    assert (status["succeeded"], status["completionTime"], status["active"]) == (1, "2026-11-22T02:00:00Z", 0)
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [
        ("SuccessCriteriaMet", "True"),
        ("Complete", "True"),
    ]


@pytest.mark.parametrize("reason", [r for r in JobReason if r is not JobReason.CompletionsReached])
def test_a_failed_job_names_its_reason_twice_and_does_not_complete(reason):
    status = finished(reason, message="why")
    assert {"completionTime", "succeeded"}.isdisjoint(status)
    assert [(c["type"], c["reason"]) for c in status["conditions"]] == [
        ("FailureTarget", reason.name),
        ("Failed", reason.name),
    ]
    assert status["conditions"][1]["message"].endswith(": why")


def test_a_job_never_ends_before_its_start_and_its_message_is_bounded():
    status = finished(JobReason.CompletionsReached, now=T0 - timedelta(days=1))
    assert status["completionTime"] == status["startTime"]
    assert len(finished(JobReason.PodFailurePolicy, message="x" * 5000)["conditions"][0]["message"]) == 1024
