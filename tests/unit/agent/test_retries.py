from datetime import UTC, datetime, timedelta

import pytest

from strongroom.agent.jobstatuses import JobReason
from strongroom.agent.records import Attempt, Plan, build_failure
from strongroom.agent.retries import Conclude, Follow, Start, needs_roll_back, next_step
from strongroom.api.errors import Reason
from strongroom.api.restoring import RestoreOutcome
from strongroom.api.result import WorkResult

T0 = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def plan(**more):
    return Plan(
        **{
            "namespace": "n",
            "name": "j",
            "uid": "u",
            "run_uid": "r",
            "claimant": "a",
            "started_at": T0,
            "deadline_seconds": 3600,
            "backoff_limit": 3,
        }
        | more
    )


def ended(number, reason, at=T0):
    if reason is None:
        result = WorkResult(
            run_uid="r", outcome="Succeeded", reason="Succeeded", started_at=T0, finished_at=at
        )
    else:
        result = build_failure("r", reason, "why", started_at=T0, now=at)
    return Attempt(number=number, started_at=T0, ended_at=at, result=result)


def step(attempts, *, now=T0, of=None):
    return next_step(of or plan(), attempts, now, first_pause=10, longest_pause=360)


def test_the_first_attempt_starts_at_once():
    assert step([]) == Start(1, T0)


def test_an_attempt_without_an_end_is_followed():
    begun = Attempt(number=1, started_at=T0)
    assert step([begun]) == Follow(begun)


def test_pauses_double_from_the_end_of_the_attempt_up_to_the_longest():
    lost = [ended(n, Reason.WorkerLost) for n in range(1, 9)]
    pauses = [
        (step(lost[:n], of=plan(backoff_limit=20)).at - T0).total_seconds() for n in range(1, len(lost) + 1)
    ]
    assert pauses == [10, 20, 40, 80, 160, 320, 360, 360]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (None, JobReason.CompletionsReached),
        (Reason.AuthenticationFailed, JobReason.PodFailurePolicy),
        (Reason.Cancelled, JobReason.PodFailurePolicy),
        (Reason.DeadlineExceeded, JobReason.DeadlineExceeded),
    ],
)
def test_what_trying_again_cannot_change_ends_the_job(reason, expected):
    end = step([ended(1, reason)])
    assert isinstance(end, Conclude)
    assert end.outcome.reason is expected
    assert end.outcome.failed == (0 if reason is None else 1)


def test_the_backoff_limit_counts_failed_attempts():
    lost = [ended(n, Reason.WorkerLost) for n in range(1, 5)]
    assert isinstance(step(lost[:3]), Start)
    end = step(lost)
    assert (end.outcome.reason, end.outcome.failed) == (JobReason.BackoffLimitExceeded, 4)
    assert end.outcome.result.reason == "WorkerLost"


def test_no_attempt_is_waited_for_that_would_begin_after_the_deadline():
    lost = [ended(1, Reason.SourceUnreachable, T0 + timedelta(seconds=3595))]
    end = step(lost, now=T0 + timedelta(seconds=3595))
    assert (end.outcome.reason, end.outcome.result.reason) == (JobReason.DeadlineExceeded, "DeadlineExceeded")
    assert "SourceUnreachable" in end.outcome.result.message


def test_without_a_deadline_it_goes_on():
    late = T0 + timedelta(days=30)
    assert isinstance(
        step([ended(1, Reason.WorkerLost, late)], now=late, of=plan(deadline_seconds=None)), Start
    )


def test_a_clock_set_back_does_not_lengthen_the_deadline():
    assert plan().seconds_left(T0 - timedelta(days=1)) == 3600
    assert plan().seconds_left(T0 + timedelta(seconds=100)) == 3500


def test_a_backup_of_files_that_changed_is_not_tried_again():
    succeeded = ended(1, None)
    partial = succeeded.result.model_copy(update={"outcome": "Partial", "reason": "FilesChanged"})
    last = step([succeeded.model_copy(update={"result": partial})])
    assert isinstance(last, Conclude)
    assert last.outcome.result == partial


def restored(number, reason, *, told):
    """An attempt of a restore whose worker was started; with a word of what came of it, or without."""
    found = ended(number, reason)
    outcome = RestoreOutcome() if told else None
    result = found.result.model_copy(update={"restore": outcome})
    return found.model_copy(update={"result": result, "container": "c"})


@pytest.mark.parametrize(
    ("attempts", "needed"),
    [
        ([], False),
        ([ended(1, Reason.WorkerLost)], False),
        ([restored(1, Reason.WorkerLost, told=False)], True),
        ([restored(1, Reason.DeadlineExceeded, told=True)], False),
        ([restored(1, Reason.RollBackFailed, told=True)], True),
        ([restored(1, Reason.BackupNotFound, told=False)], False),
        (
            [restored(1, Reason.WorkerLost, told=False), restored(2, Reason.StoreUnreachable, told=False)],
            True,
        ),
        ([restored(1, Reason.WorkerLost, told=False), restored(2, Reason.RestoreFailed, told=True)], False),
        ([restored(1, Reason.WorkerLost, told=False), restored(2, None, told=True)], False),
        ([restored(1, Reason.WorkerLost, told=False), ended(2, Reason.HostForbids)], True),
    ],
)
def test_a_restore_is_rolled_back_unless_its_last_started_worker_told_what_came_of_it(attempts, needed):
    assert needs_roll_back(attempts) is needed
