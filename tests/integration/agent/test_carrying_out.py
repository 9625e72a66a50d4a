import asyncio
import json
import os
import signal

from tests.integration.agent.hosts import gone
from tests.integration.embedded import until

from strongroom.api.labels import PROGRESS_ANNOTATION
from strongroom.api.result import WorkResult
from strongroom.kube.kinds import JOBS


async def test_a_job_is_claimed_carried_out_and_completed(host):
    job = await host.send("succeed")
    condition, reason, result, found = await host.finished(job)
    assert (condition, reason) == ("Complete", "CompletionsReached")
    assert WorkResult.model_validate(result).run_uid == job["metadata"]["uid_of_run"]
    status = found["status"]
    assert [c["type"] for c in status["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    assert (status["active"], status["failed"], status["succeeded"]) == (0, 0, 1)
    assert status["startTime"] <= status["completionTime"]
    await host.cleared(job)


async def test_progress_is_shown_while_it_runs(host):
    job = await host.send("wait")

    async def progress():
        found = await host.look(job)
        text = found["metadata"].get("annotations", {}).get(PROGRESS_ANNOTATION)
        return found if text and found.get("status", {}).get("active") else None

    found = await until(progress, "progress is shown")
    assert json.loads(found["metadata"]["annotations"][PROGRESS_ANNOTATION])["stage"] == "Dump"
    assert found["status"]["startTime"]
    host.go(job)
    assert (await host.finished(job))[0] == "Complete"


async def test_what_may_get_better_is_tried_again(host):
    condition, _, _, found = await host.finished(await host.send("second-time"))
    assert (condition, found["status"]["failed"], found["status"]["succeeded"]) == ("Complete", 1, 1)


async def test_attempts_end_at_the_backoff_limit(host):
    job = await host.send("unreachable", backoffLimit=2)
    condition, reason, result, found = await host.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "BackoffLimitExceeded", "SourceUnreachable")
    assert (len(host.starts(job)), found["status"]["failed"]) == (3, 3)
    assert [c["type"] for c in found["status"]["conditions"]] == ["FailureTarget", "Failed"]
    assert "completionTime" not in found["status"]


async def test_what_cannot_get_better_is_not_tried_again(host):
    job = await host.send("refused", backoffLimit=5)
    condition, reason, result, found = await host.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "PodFailurePolicy", "AuthenticationFailed")
    assert "role app was refused" in found["status"]["conditions"][-1]["message"]
    assert len(host.starts(job)) == 1


async def test_a_worker_that_vanishes_is_replaced_and_then_given_up(host):
    job = await host.send("die")
    condition, reason, result, _ = await host.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "BackoffLimitExceeded", "WorkerLost")
    assert "signal 9" in result["message"]
    assert len(host.starts(job)) == 2
    await gone(host.child(job))


async def test_a_result_that_cannot_be_read_or_is_of_another_order_is_no_success(host):
    garbage, stranger = (
        await host.send("garbage", backoffLimit=0),
        await host.send("stranger", backoffLimit=0),
    )
    _, _, result, _ = await host.finished(garbage)
    assert (result["reason"], "cannot be read" in result["message"]) == ("WorkerLost", True)
    _, _, result, _ = await host.finished(stranger)
    assert (result["reason"], "of another order" in result["message"]) == ("WorkerLost", True)


async def test_a_worker_stopped_from_outside_is_replaced(host):
    job = await host.send("wait")
    (pid,) = await host.started(job)
    os.kill(pid, signal.SIGTERM)
    await host.started(job, 2)
    host.go(job)
    assert (await host.finished(job))[0] == "Complete"


async def test_the_deadline_ends_even_a_worker_and_its_children_that_do_not_listen(host):
    job = await host.send("stubborn", activeDeadlineSeconds=2)
    (pid,) = await host.started(job)
    condition, reason, result, found = await host.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "DeadlineExceeded", "DeadlineExceeded")
    assert found["status"]["active"] == 0
    await gone(pid)
    await gone(host.child(job))


async def test_a_job_deleted_while_it_runs_takes_its_worker_and_folder_along(host):
    job = await host.send("stubborn")
    (pid,) = await host.started(job)
    await until_child(host, job)
    await host.client.delete(JOBS, host.namespace, job["metadata"]["name"])
    await gone(pid)
    await gone(host.child(job))
    await host.cleared(job)


async def test_no_more_jobs_run_at_once_than_allowed_and_the_oldest_come_first(own_host):
    first, second, third = [await own_host.send("wait") for _ in range(3)]
    own_host.start(max_jobs=2)
    await own_host.started(first)
    await own_host.started(second)
    await asyncio.sleep(1.5)  # a pass goes by: what must not happen cannot be waited for
    assert own_host.starts(third) == []
    own_host.go(first)
    await own_host.started(third)
    for job in (second, third):
        own_host.go(job)
        await own_host.finished(job)


async def until_child(host, job):
    async def noted():
        return host.child(job)

    await until(noted, "the worker has a child")


async def test_a_job_that_cannot_be_claimed_does_not_hold_up_younger_ones(host):
    full = {"example.org/full": "x" * (256 * 1024 - 20)}
    stuck = await host.send("succeed", metadata={"annotations": full})
    job = await host.send("succeed")
    assert (await host.finished(job))[0] == "Complete"
    assert host.starts(stuck) == []
