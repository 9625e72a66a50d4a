import os
from datetime import UTC, datetime

import pytest

from strongroom.agent.folders import StateFolder, StateTaken
from strongroom.agent.gate.rules import Rules, rules_text
from strongroom.agent.gatekeeping import find_controlled
from strongroom.agent.records import Attempt, Outcome, Plan, build_failure
from strongroom.api.errors import Reason

T0 = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PLAN = Plan(namespace="n", name="j", uid="u-1", run_uid="r", claimant="a", started_at=T0, backoff_limit=1)


@pytest.fixture
def state(tmp_path):
    state = StateFolder(tmp_path / "state")
    with state.held():
        yield state


def test_a_state_folder_has_one_agent_at_a_time_and_one_identity_for_ever(tmp_path):
    first, second = StateFolder(tmp_path / "s"), StateFolder(tmp_path / "s")
    with first.held():
        identity = first.identity()
        with pytest.raises(StateTaken, match="another agent"), second.held():
            pass
    with second.held():
        assert second.identity() == identity


def test_a_job_is_remembered_by_its_plan_attempts_and_outcome(state):
    folder = state.job("u-1")
    folder.create(PLAN, "{}")
    first = Attempt(number=1, started_at=T0)
    folder.save_attempt(first)
    folder.save_attempt(Attempt(number=10, started_at=T0))
    folder.save_attempt(Attempt(number=2, started_at=T0))
    outcome = Outcome(
        result=build_failure("r", Reason.WorkerLost, "gone", started_at=T0, now=T0),
        job_reason="BackoffLimitExceeded",
        failed=2,
    )
    assert folder.outcome() is None
    folder.save_outcome(outcome)
    (again,) = state.jobs()
    assert again.plan() == PLAN
    assert [attempt.number for attempt in again.attempts()] == [1, 2, 10]
    assert again.attempts()[0] == first
    assert again.outcome() == outcome


def test_everything_is_private(state, tmp_path):
    state.job("u-1").create(PLAN, "{}")
    modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "state").rglob("*")}
    assert modes == {"0o700", "0o600"}


def test_a_folder_is_removed_whole_and_nothing_else(state, tmp_path):
    for uid in ("u-1", "u-2"):
        state.job(uid).create(PLAN, "{}")
    state.job("u-1").remove()
    state.job("u-1").remove()
    assert [folder.uid for folder in state.jobs()] == ["u-2"]


def test_a_folder_without_its_plan_is_not_complete(state):
    folder = state.job("u-1")
    folder.create(PLAN, "{}")
    (folder.path / "plan.json").unlink()
    assert folder.plan() is None


def test_a_uid_that_names_another_place_is_refused(state):
    for uid in ("..", "a/b", "", "a\0"):
        with pytest.raises(ValueError, match="is not a uid"):
            state.job(uid)


def test_what_a_job_may_stop_is_what_all_its_gates_let_through_and_anything_without_a_gate(state):
    folder = state.job("u-1")
    folder.create(PLAN, "{}")
    for number, container in ((1, "a" * 64), (2, "b" * 64)):
        folder.save_attempt(Attempt(number=number, started_at=T0, isolation="container"))
        rules = Rules("", "", 1, {}, frozenset(), frozenset(), frozenset([container]), frozenset())
        folder.attempt_folder(number).gate_rules.write_bytes(rules_text(rules))
    folder.save_attempt(Attempt(number=3, started_at=T0, isolation="container"))
    assert find_controlled(folder) == {"a" * 64, "b" * 64}
    folder.save_attempt(Attempt(number=4, started_at=T0))
    assert find_controlled(folder) is None


def test_folders_in_folders_beyond_any_recursion_are_removed(state):
    folder = state.job("u-1")
    folder.create(PLAN, "{}")
    make_chain(folder.scratch, 3000)
    folder.clear_scratch()
    assert list(folder.scratch.iterdir()) == []
    make_chain(folder.journal, 3000)
    folder.remove()
    assert state.jobs() == []


def make_chain(folder, depth):
    """Made as a worker could: each step by a name of its own, for the whole path would be too long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
