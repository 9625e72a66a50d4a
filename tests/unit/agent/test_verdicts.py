from datetime import UTC, datetime

import pytest

from strongroom.agent.records import Attempt, Plan, build_failure
from strongroom.agent.verdicts import End, Undone, describe_end, judge, judge_rolled_back, judge_undone
from strongroom.api.errors import Reason
from strongroom.api.restoring import RestoreOutcome
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


AWAY = Undone(complete=False, trouble="the Engine is away", reason=Reason.EngineUnreachable)
STUCK = Undone(complete=False, trouble="container web cannot be started", reason=Reason.HookFailed)
COMPLAINED = Undone(complete=True, trouble="hooks.after[0]: exit code 1", reason=Reason.HookFailed)


@pytest.mark.parametrize("result", [SUCCESS, CHANGED, REFUSED])
def test_a_result_after_which_everything_runs_again_is_left_as_it_is(result):
    assert judge_undone(result, Undone(complete=True)) is result


@pytest.mark.parametrize("undone", [AWAY, STUCK])
@pytest.mark.parametrize("result", [SUCCESS, CHANGED, REFUSED])
def test_what_is_still_stopped_is_told_whatever_the_result_is(result, undone):
    told = judge_undone(result, undone)
    assert told.message.startswith(f"still to be undone on the host: {undone.trouble}")
    assert told.outcome == result.outcome


@pytest.mark.parametrize("undone", [STUCK, COMPLAINED])
def test_a_failure_that_left_hooks_in_trouble_is_one_of_hooks_and_keeps_its_cause(undone):
    told = judge_undone(REFUSED, undone)
    assert (told.reason, undone.trouble in told.message) == ("HookFailed", True)
    assert "AuthenticationFailed: no" in told.message


def test_an_engine_that_is_away_does_not_hide_why_a_run_failed():
    assert judge_undone(REFUSED, AWAY).reason == "AuthenticationFailed"


def test_a_long_story_is_cut_where_the_message_ends():
    assert len(judge_undone(REFUSED, Undone(complete=False, trouble="x" * 5000)).message) == 1024


@pytest.mark.parametrize("end", [End.Deadline, End.Cancelled])
def test_a_restore_that_was_ended_keeps_its_word_of_what_came_of_it(end):
    left = STOPPED.model_copy(update={"restore": RestoreOutcome(rolled_back=True)})
    assert judge(PLAN, ATTEMPT, end, left, how="", now=NOW).restore.rolled_back


def test_a_restore_that_was_rolled_back_fails_of_its_own_reason_and_one_that_was_not_of_that():
    back = SUCCESS.model_copy(update={"message": "all is back", "restore": RestoreOutcome(rolled_back=True)})
    told = judge_rolled_back(REFUSED, back)
    assert (told.outcome, told.reason, told.message) == ("Failed", "AuthenticationFailed", "no; all is back")
    assert told.restore.rolled_back
    stuck = build_failure("r", Reason.EngineUnreachable, "away", started_at=NOW, now=NOW)
    told = judge_rolled_back(REFUSED, stuck)
    assert (told.outcome, told.reason) == ("Failed", "RollBackFailed")
    assert "EngineUnreachable: away; before that, AuthenticationFailed: no" in told.message
