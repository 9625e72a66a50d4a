from datetime import UTC, datetime

import pytest

from strongroom.agent.records import Attempt, Plan, build_failure
from strongroom.agent.verdicts import End, describe_end, judge
from strongroom.api.errors import Reason
from strongroom.api.result import WorkResult

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PLAN = Plan(
    namespace="n",
    name="j",
    uid="u",
    run_uid="r",
    claimant="a",
    started_at=NOW,
    deadline_seconds=60,
    backoff_limit=0,
)
ATTEMPT = Attempt(number=2, started_at=NOW)
SUCCESS = WorkResult(run_uid="r", outcome="Succeeded", reason="Succeeded", started_at=NOW, finished_at=NOW)
CHANGED = SUCCESS.model_copy(update={"outcome": "Partial", "reason": "FilesChanged"})
REFUSED = build_failure("r", Reason.AuthenticationFailed, "no", started_at=NOW, now=NOW)
STOPPED = build_failure("r", Reason.Cancelled, "asked to end", started_at=NOW, now=NOW)


@pytest.mark.parametrize("end", End)
@pytest.mark.parametrize("result", [SUCCESS, CHANGED])
def test_a_committed_backup_stands_however_the_process_ended(end, result):
    assert judge(PLAN, ATTEMPT, end, result, how="", now=NOW) is result


@pytest.mark.parametrize(
    ("end", "left", "reason"),
    [
        (End.Exited, REFUSED, "AuthenticationFailed"),
        (End.Exited, STOPPED, "WorkerLost"),
        (End.Exited, "it left no result", "WorkerLost"),
        (End.Deadline, STOPPED, "DeadlineExceeded"),
        (End.Deadline, "it left no result", "DeadlineExceeded"),
        (End.Cancelled, STOPPED, "Cancelled"),
        (End.Cancelled, "it left no result", "Cancelled"),
    ],
)
def test_everything_else_is_a_failure_with_its_own_reason(end, left, reason):
    result = judge(PLAN, ATTEMPT, end, left, how="", now=NOW)
    assert (result.outcome, result.reason, result.run_uid) == ("Failed", reason, "r")
    assert result.retryable is (reason == "WorkerLost")


def test_the_end_of_a_process_is_told_as_far_as_it_is_known():
    assert describe_end(None, "") == ""
    assert describe_end(-9, "") == " (signal 9)"
    assert describe_end(1, "boom") == " (exit 1); its last words: boom"
