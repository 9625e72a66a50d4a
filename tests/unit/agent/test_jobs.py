from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.domain import domain_objects

from strongroom.agent.claims import build_plan
from strongroom.agent.jobs import Standing, oldest_first, parse_job, parse_order
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import NO_NODE, WORK_ORDER_ANNOTATION
from strongroom.domain.jobs import build_job, build_store_check_job

T0 = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def body(*, meta=None, spec=None, status=None):
    return {
        "metadata": {
            "name": "j",
            "namespace": "n",
            "uid": "0b9c7a1e-0000-4000-8000-000000000001",
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-22T02:00:00Z",
            "labels": {"strongroom.dev/host": "h", "strongroom.dev/host-namespace": "hn"},
            **(meta or {}),
        },
        "spec": {"managedBy": "strongroom.dev/agent", **(spec or {})},
        "status": status or {},
    }


def standing(**parts):
    return parse_job(body(**parts)).standing("hn", "h", "me")


def claimed(by):
    return {"annotations": {"strongroom.dev/claimed-by": by}}


def test_only_a_job_for_this_host_that_nobody_has_is_free():
    assert standing() is Standing.Free
    assert standing(meta={"labels": {}}) is Standing.NotForUs
    assert standing(spec={"managedBy": "kubernetes.io/job-controller"}) is Standing.NotForUs
    assert standing(spec={"managedBy": None}) is Standing.NotForUs
    assert standing(spec={"suspend": True}) is Standing.NotForUs
    assert standing(meta=claimed("me")) is Standing.Ours
    assert standing(meta=claimed("you")) is Standing.Anothers
    assert standing(meta={"deletionTimestamp": "2026-11-22T02:00:00Z"}) is Standing.Over
    for end in ("Complete", "Failed"):
        over = {"conditions": [{"type": end, "status": "True"}]}
        assert standing(status=over, meta=claimed("me")) is Standing.Over
    target = {"conditions": [{"type": "FailureTarget", "status": "True"}]}
    assert standing(status=target, meta=claimed("me")) is Standing.Ours


def dropped(**parts):
    """A Job of a server that does not know `managedBy`."""
    return body(
        spec={"managedBy": None, "template": {"spec": {"nodeSelector": dict(NO_NODE)}}},
        status={"startTime": "2026-11-22T02:00:00Z"},
        **parts,
    )


def test_a_job_whose_manager_was_dropped_is_ours_when_no_node_may_run_it_and_starts_when_it_is_claimed():
    of = dropped(meta=claimed("me"))
    job = parse_job(of)
    assert job.standing("hn", "h", "me") is Standing.Ours
    assert build_plan(job).started_at > job.start_time
    kept = {**of, "spec": {**of["spec"], "managedBy": "strongroom.dev/agent"}}
    assert build_plan(parse_job(kept)).started_at == job.start_time


def test_a_deadline_that_the_spec_leaves_to_the_order_is_the_orders():
    def deadline(text):
        notes = {"annotations": {WORK_ORDER_ANNOTATION: text}}
        return parse_job(body(spec={"template": {"metadata": notes}})).deadline_seconds

    assert deadline('{"deadlineSeconds": 60}') == 60
    assert [deadline(text) for text in ("{", "[]", "{}", '{"deadlineSeconds": "60"}')] == [None] * 4


def test_a_job_is_overdue_only_by_its_own_deadline():
    job = parse_job(body(spec={"activeDeadlineSeconds": 60}, status={"startTime": "2026-11-22T02:00:00Z"}))
    assert job.overdue_seconds(T0 + timedelta(seconds=61)) == 1
    assert parse_job(body()).overdue_seconds(T0 + timedelta(days=999)) == float("-inf")


def test_a_uid_that_could_leave_the_folder_is_refused():
    for uid in ("../x", "", "a/b", "."):
        with pytest.raises(ValueError, match="has the uid"):
            parse_job(body(meta={"uid": uid}))


def test_jobs_are_taken_oldest_first():
    times = ("2026-11-22T02:00:02Z", "2026-11-22T02:00:00Z", "2026-11-22T02:00:01Z")
    jobs = [parse_job(body(meta={"creationTimestamp": t})) for t in times]
    assert [job.created for job in oldest_first(jobs)] == sorted(times)


def test_a_job_without_an_order_says_which_annotation_is_missing():
    with pytest.raises(StrongroomError, match=r"strongroom\.dev/work-order") as error:
        parse_order(parse_job(body()))
    assert error.value.reason is Reason.InvalidOrder


@pytest.mark.parametrize("kind", ["Backup", "CheckStore"])
def test_the_operators_jobs_are_understood(kind):
    store, there = domain_objects.store(), domain_objects.host("h", namespace="hn")
    if kind == "Backup":
        job_body = build_job(domain_objects.run(), domain_objects.policy(), [store], there, [], "image")
    else:
        job_body = build_store_check_job(store, there, T0, "image")
    given = {"namespace": "default", "uid": "u", "resourceVersion": "1"}
    job = parse_job(job_body | {"metadata": job_body["metadata"] | given})
    assert job.standing("hn", "h", "me") is Standing.Free
    order = parse_order(job)
    assert (order.kind, order.run_uid) == (kind, job.owner_uid)
    assert job.deadline_seconds == order.deadline_seconds
