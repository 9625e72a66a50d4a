from datetime import timedelta

import pytest
from domain_objects import COMPLETE, CREATED, at, failed_condition, host, job_body, policy, result, run, store
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.api.backuprun import TERMINAL_PHASES
from strongroom.api.conditions import find_condition
from strongroom.api.errors import Reason
from strongroom.api.labels import CLAIM_ANNOTATION, PROGRESS_ANNOTATION
from strongroom.domain.jobstates import parse_job
from strongroom.domain.policies import Problem, Surroundings, find_blocker, find_problems
from strongroom.domain.runs import Finish, Follow, Rest, RunFacts, Start, Wait, next_step
from strongroom.domain.runstatus import build_status

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN78xiVUYIUdvLTX1burMQKWaSCA6hVRj1wA85iAd7OW"
SECOND = timedelta(seconds=1)
KEYS = {"name": "keys", "key": "key"}
SOON = CREATED + SECOND


def facts(of=None, **changes):
    base = {
        "run": of or run(),
        "policy": policy(),
        "problem": None,
        "job": None,
        "had_job": False,
        "host_is_alive": True,
        "busy": None,
        "now": SOON,
    }
    return RunFacts(**base | changes)


def with_job(of=None, *, now=SOON, alive=True, **job):
    of = of or run()
    return facts(of, job=parse_job(job_body(of, **job)), now=now, host_is_alive=alive)


def verdict(step):
    assert isinstance(step, Finish)
    return step.verdict.phase, step.verdict.reason


def test_a_run_without_obstacles_starts():
    assert next_step(facts()) == Start()


@pytest.mark.parametrize("phase", sorted(TERMINAL_PHASES))
def test_a_terminal_run_rests_whatever_happens_around_it(phase):
    ended = run(status={"phase": phase})
    assert next_step(facts(ended, had_job=True, problem=Problem(Reason.InvalidSpec, "x"))) == Rest()
    assert next_step(with_job(ended, conditions=[COMPLETE], result=result("uid-r1"))) == Rest()


def test_a_cluster_that_does_not_know_managed_by_leaves_the_hosts_job_to_its_agent_by_its_node_selector():
    of = run()
    body = job_body(of, startTime=CREATED.isoformat())
    del body["spec"][
        "managedBy"
    ]  # Kubernetes before 1.32 drops the field that it does not know, and notes a start at once
    waiting = next_step(facts(of, job=parse_job(body)))
    assert isinstance(waiting, Follow)
    assert "h" in waiting.awaited
    body["metadata"]["annotations"] = {CLAIM_ANNOTATION: "agent"}
    assert next_step(facts(of, job=parse_job(body))).awaited is None


def test_a_job_of_a_host_that_the_cluster_would_run_is_found_out():
    of = run()
    body = job_body(of)
    del body["spec"]["managedBy"], body["spec"]["template"]["spec"]["nodeSelector"]
    step = next_step(facts(of, job=parse_job(body)))
    assert verdict(step) == ("Failed", "Unsupported")
    assert "node selector" in step.verdict.message


def test_a_run_waits_for_its_target_and_is_skipped_after_the_starting_deadline():
    assert isinstance(step := next_step(facts(busy="other")), Wait)
    assert step.reason == "TargetBusy"
    assert "other" in step.message
    late = next_step(facts(busy="other", now=CREATED + timedelta(hours=1, seconds=1)))
    assert verdict(late) == ("Skipped", "StartingDeadlineExceeded")


def test_a_scheduled_run_waits_for_its_jitter():
    scheduled = run(reason="Scheduled", slot="2026-11-22T02:00:00Z", created=at("2026-11-22T02:00Z"))
    jittered = policy(jitter="10m")
    begin = at("2026-11-22T02:00Z") + timedelta(minutes=10)
    assert isinstance(next_step(facts(scheduled, policy=jittered, now=at("2026-11-22T02:00Z"))), Wait)
    assert next_step(facts(scheduled, policy=jittered, now=begin)) == Start()


@pytest.mark.parametrize("reason", [Reason.PolicyNotFound, Reason.StoreNotFound, Reason.HostNotFound])
def test_what_may_still_be_applied_is_waited_for_briefly(reason):
    problem = Problem(reason, "missing")
    assert isinstance(next_step(facts(problem=problem)), Wait)
    assert verdict(next_step(facts(problem=problem, now=CREATED + timedelta(minutes=1)))) == (
        "Failed",
        reason.name,
    )


def test_a_dead_host_is_waited_for_until_the_starting_deadline_and_then_a_failure():
    problem = Problem(Reason.HostNotReady, "no agent")
    assert isinstance(next_step(facts(problem=problem, now=CREATED + timedelta(minutes=59))), Wait)
    late = next_step(facts(problem=problem, now=CREATED + timedelta(hours=2)))
    assert verdict(late) == ("Failed", "HostNotReady")


@pytest.mark.parametrize("reason", [Reason.InvalidSpec, Reason.Unsupported, Reason.ScheduleInvalid])
def test_what_cannot_pass_fails_the_run_at_once(reason):
    assert verdict(next_step(facts(problem=Problem(reason, "wrong")))) == ("Failed", reason.name)


def test_a_job_that_runs_is_followed_and_verifies_once_it_reads_back():
    step = next_step(with_job(active=1, startTime=CREATED.isoformat()))
    assert isinstance(step, Follow)
    assert (step.phase, step.attempts) == ("Running", 1)
    body = job_body(run(), active=1)
    body["metadata"]["annotations"] = {
        PROGRESS_ANNOTATION: '{"stage":"ReadBack","time":"2026-11-01T00:00:00Z"}'
    }
    assert next_step(facts(job=parse_job(body))).phase == "Verifying"


def test_a_proved_result_of_an_ended_job_is_a_success():
    step = next_step(with_job(conditions=[COMPLETE], result=result("uid-r1")))
    assert verdict(step) == ("Succeeded", "Succeeded")


def test_a_result_before_the_job_has_ended_is_not_used_yet():
    assert isinstance(next_step(with_job(result=result("uid-r1"), active=1)), Follow)


def unverified():
    artifact = result("x")["artifacts"][0]
    return [
        {k: v for k, v in artifact.items() if k != "verification"},
        artifact | {"verification": artifact["verification"] | {"readBack": False}},
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"runUid": "another"}, ("Failed", "InternalError")),
        ({"artifacts": []}, ("Failed", "VerificationFailed")),
        ({"artifacts": [unverified()[0]]}, ("Failed", "VerificationFailed")),
        ({"artifacts": [unverified()[1]]}, ("Failed", "VerificationFailed")),
        ({"copies": []}, ("Failed", "StoreFailed")),
        ({"copies": [{"store": "vault", "state": "Failed", "reason": "StoreFull"}]}, ("Failed", "StoreFull")),
        ({"copies": [{"store": "other", "state": "Succeeded"}]}, ("Failed", "StoreFailed")),
        ({"outcome": "Failed", "reason": "AuthenticationFailed"}, ("Failed", "AuthenticationFailed")),
        ({"outcome": "Partial", "reason": "LockTimeout"}, ("Partial", "LockTimeout")),
        ({"outcome": "Failed", "reason": "not a word"}, ("Failed", "InternalError")),
        ({"unknownField": 1}, ("Failed", "InvalidOrder")),
    ],
)
def test_a_result_that_is_not_wholly_proved_is_never_a_success(changes, expected):
    assert verdict(next_step(with_job(conditions=[COMPLETE], result=result("uid-r1", **changes)))) == expected


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (COMPLETE, "WorkerLost"),
        (failed_condition("BackoffLimitExceeded"), "WorkerLost"),
        (failed_condition("DeadlineExceeded"), "DeadlineExceeded"),
    ],
)
def test_an_ended_job_without_a_result_has_failed(condition, reason):
    assert verdict(next_step(with_job(conditions=[condition]))) == ("Failed", reason)


def test_garbage_in_the_place_of_a_result_is_a_failure():
    assert verdict(next_step(with_job(conditions=[COMPLETE], result="{nonsense"))) == (
        "Failed",
        "InvalidOrder",
    )


def test_a_job_that_was_deleted_cancels_its_run_and_is_not_made_again():
    assert verdict(next_step(facts(had_job=True))) == ("Failed", "Cancelled")


def test_a_job_of_a_silent_host_is_failed_after_deadline_and_grace_and_abandoned():
    late = CREATED + timedelta(hours=6, minutes=3)
    step = next_step(with_job(now=late, alive=False, startTime=CREATED.isoformat(), active=1))
    assert verdict(step) == ("Failed", "DeadlineExceeded")
    assert "silent" in step.verdict.message
    unclaimed = next_step(with_job(now=late, alive=False))
    assert verdict(unclaimed) == ("Failed", "HostNotReady")


def test_a_result_left_by_an_agent_that_died_before_ending_its_job_is_used_in_the_end():
    late = CREATED + timedelta(hours=6, minutes=3)
    step = next_step(with_job(now=late, alive=False, result=result("uid-r1"), active=1))
    assert verdict(step) == ("Succeeded", "Succeeded")


def test_a_run_whose_policy_was_deleted_is_followed_to_its_end():
    body = job_body(run(), conditions=[COMPLETE], result=result("uid-r1"))
    problem = Problem(Reason.PolicyNotFound, "gone")
    step = next_step(facts(policy=None, problem=problem, job=parse_job(body)))
    assert verdict(step) == ("Succeeded", "Succeeded")


def test_the_status_of_a_success_holds_what_was_made():
    of, step = run(), next_step(with_job(conditions=[COMPLETE], result=result("uid-r1")))
    status = build_status(of, step, policy(), SOON)
    assert (status.phase, status.size_bytes, status.duration_seconds) == ("Succeeded", 5, 60.0)
    assert find_condition(status.conditions, "Succeeded").status == "True"
    assert status.policy_uid == "uid-orders"


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({}, "waits for the agent of DockerHost local."),
        ({"alive": False}, "waits for the agent of DockerHost local, which is not alive."),
        ({"startTime": CREATED.isoformat()}, "is under way."),
    ],
)
def test_a_job_that_no_agent_has_taken_is_not_said_to_be_under_way(job, said):
    of = run()
    status = build_status(of, next_step(with_job(of, **job)), policy(), SOON)
    assert status.phase == "Running"
    assert status.message.endswith(said)


def test_a_job_of_a_foreign_namespace_that_waits_names_the_agents_option():
    of = run()
    body = job_body(of)
    body["metadata"]["namespace"] = "team-b"
    status = build_status(of, next_step(facts(of, job=parse_job(body))), policy(), SOON)
    assert "--serve-namespace team-b" in status.message


def test_what_this_version_does_not_act_on_blocks_the_policy_by_the_fields_name():
    around = Surroundings(stores={"vault": store()}, site=host())
    assert find_blocker(policy(), around) is None
    far = {"host": "h", "user": "u", "path": "/backups", "hostKey": HOST_KEY, "privateKeySecret": KEYS}
    bucket = {"bucket": "backups", "accessKeySecret": KEYS, "secretKeySecret": KEYS}
    lock = {"mode": "Governance", "duration": "30d"}
    for spec, field in (
        ({"sftp": far, "objectLock": lock}, "spec.objectLock"),
        ({"local": {"path": "/backups"}, "objectLock": lock}, "spec.objectLock"),
    ):
        problem = find_blocker(policy(), Surroundings(stores={"vault": store(**spec)}, site=host()))
        assert field in problem.message
    locking = Surroundings(stores={"vault": store(s3=bucket, objectLock=lock)}, site=host())
    assert find_blocker(policy(), locking) is None
    for kind in ("sftp", "rsync"):
        by_ssh = Surroundings(stores={"vault": store(**{kind: far})}, site=host())
        assert find_blocker(policy(), by_ssh) is None


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"drill": {"schedule": "61 * * * *"}}, "spec.drill.schedule"),
        ({"drill": {"schedule": "@weekly", "sources": ["media"]}}, "spec.drill.sources"),
        (
            {"drill": {"schedule": "@weekly"}, "encryption": {"gpg": {"publicKeySecrets": [KEYS]}}},
            "spec.drill.decryptionKeySecret",
        ),
    ],
)
def test_what_keeps_drills_from_running_is_told_and_keeps_no_backup_from_being_made(spec, field):
    around = Surroundings(stores={"vault": store()}, site=host())
    assert find_blocker(policy(**spec), around) is None
    (problem,) = find_problems(policy(**spec), around)
    assert field in problem.message


@pytest.mark.parametrize(
    ("around", "reason"),
    [
        (Surroundings(site=host()), Reason.StoreNotFound),
        (Surroundings(stores={"vault": store()}), Reason.HostNotFound),
        (Surroundings(stores={"vault": store()}, site=host(ready=False)), Reason.HostNotReady),
    ],
)
def test_what_is_missing_is_named(around, reason):
    assert find_blocker(policy(), around).reason is reason


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([None, "Running", "done", "lost", "late"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, *Reason]),
    st.one_of(st.none(), st.just("other")),
    st.integers(0, 10 * 24 * 3600),
    st.sampled_from(["Succeeded", "Partial", "Failed"]),
    st.sampled_from([True, False, None]),
    st.sampled_from(["Succeeded", "Failed", None]),
    st.sampled_from(["uid-r1", "uid-r2"]),
)
def test_no_state_of_the_world_makes_a_false_success(
    job, had_job, alive, reason, busy, seconds, outcome, read_back, copy, uid
):
    artifact = dict(result("x")["artifacts"][0])
    if read_back is None:
        del artifact["verification"]
    else:
        artifact["verification"] = artifact["verification"] | {"readBack": read_back}
    copies = [{"store": "vault", "state": copy}] if copy else []
    claim = result(uid, outcome=outcome, artifacts=[artifact], copies=copies)
    conditions = {"done": [COMPLETE], "lost": [failed_condition("BackoffLimitExceeded")]}.get(job, [])
    state = None
    if job is not None:
        body = job_body(run(), result=claim if job in ("done", "late") else None, conditions=conditions)
        state = parse_job(body)
    problem = Problem(reason, "x") if reason else None
    now = CREATED + timedelta(seconds=seconds)
    step = next_step(
        facts(job=state, had_job=had_job, host_is_alive=alive, problem=problem, busy=busy, now=now)
    )
    if isinstance(step, Finish) and step.verdict.phase == "Succeeded":
        assert (outcome, read_back, copy, uid) == ("Succeeded", True, "Succeeded", "uid-r1")
    if seconds > 7 * 24 * 3600:
        assert isinstance(step, Finish), "no run waits or runs for ever"


def test_a_failed_run_says_what_to_do():
    of = run()
    said = {"outcome": "Failed", "reason": "DatabaseNotFound", "message": 'database "nodb" does not exist'}
    step = next_step(
        with_job(
            of, result=result(of.meta.uid, **said), conditions=[failed_condition("BackoffLimitExceeded")]
        )
    )
    assert isinstance(step, Finish)
    assert step.verdict.message == f'database "nodb" does not exist. {Reason.DatabaseNotFound.hint}'


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recoveryPoint": None}, "without a recovery point"),
        ({"source": "another"}, "source db"),
        ({"verification": {"level": "List", "readBack": True, "time": "2026-11-22T02:01:00Z"}}, "less than"),
    ],
)
def test_a_claim_that_falls_short_of_the_order_is_no_success(changes, words):
    of = run()
    said = result(of.meta.uid)
    (said if "recoveryPoint" in changes else said["artifacts"][0]).update(changes)
    step = next_step(with_job(of, result=said, conditions=[COMPLETE]))
    assert verdict(step) == ("Failed", "VerificationFailed")
    assert words in step.verdict.message
