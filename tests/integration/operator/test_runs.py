"""A run from its creation to its end, on a real API server."""

import asyncio
from datetime import timedelta

import pytest
from tests.integration.embedded import until
from tests.integration.operator.plainagent import good_result

from strongroom.kube.kinds import EVENTS, HOSTS, JOBS, POLICIES, RUNS, STORES


@pytest.fixture
async def ready(world, agent):
    await world.store()
    await world.policy()
    async with world.operator():
        yield world


async def test_a_run_made_by_hand_becomes_a_verified_backup(ready):
    await ready.run()
    run = await ready.until_phase("Succeeded")
    assert run["status"]["copies"] == [{"store": "vault", "state": "Succeeded"}]
    await ready.until_condition(POLICIES, "orders", "Fresh", "True")
    await ready.until_condition(POLICIES, "orders", "Ready", "True")
    await ready.until_condition(HOSTS, "local", "Ready", "True")
    await ready.until_condition(STORES, "vault", "Ready", "True")
    assert len(await ready.jobs()) == 1
    policy = await ready.get(POLICIES, "orders")
    assert policy["status"]["lastSuccess"]["run"] == "by-hand"
    assert policy["status"]["artifactCount"] == 1
    events = {(event["involvedObject"]["kind"], event["reason"]) for event in await ready.all(EVENTS)}
    assert {("BackupRun", "Started"), ("BackupRun", "Succeeded"), ("BackupPolicy", "RunSucceeded")} <= events


async def test_a_run_verifies_while_its_worker_reads_back(ready, agent):
    agent.behave = lambda _order: None
    await ready.run()
    await ready.until_phase("Running")
    (job,) = await ready.jobs()
    await agent.progress(job["metadata"]["name"], "ReadBack")
    run = await ready.until_phase("Verifying")
    assert run["status"]["progress"]["stage"] == "ReadBack"


@pytest.mark.parametrize(
    ("changes", "phase", "reason"),
    [
        (
            {"outcome": "Failed", "reason": "AuthenticationFailed", "message": "wrong password"},
            "Failed",
            "AuthenticationFailed",
        ),
        ({"artifacts": []}, "Failed", "VerificationFailed"),
        ({"runUid": "of-another-run"}, "Failed", "InternalError"),
        (
            {
                "outcome": "Partial",
                "reason": "StoreFull",
                "copies": [{"store": "vault", "state": "Succeeded"}, {"store": "b", "state": "Failed"}],
            },
            "Partial",
            "StoreFull",
        ),
    ],
)
async def test_what_is_not_proved_is_no_success_and_makes_nothing_fresh(ready, agent, changes, phase, reason):
    agent.behave = lambda order: good_result(order, **changes if order["kind"] == "Backup" else {})
    await ready.run()
    await ready.until_phase(phase)
    assert (await ready.condition(RUNS, "by-hand", "Succeeded"))["reason"] == reason
    await ready.until_condition(POLICIES, "orders", "Fresh", "False", "NoVerifiedBackup")


async def test_a_job_deleted_by_hand_cancels_its_run_and_is_not_made_again(ready, agent):
    agent.behave = lambda _order: None
    await ready.run()
    await ready.until_phase("Running")
    (job,) = await ready.jobs()
    await ready.client.delete(JOBS, ready.namespace, job["metadata"]["name"])
    await ready.until_phase("Failed")
    assert (await ready.condition(RUNS, "by-hand", "Succeeded"))["reason"] == "Cancelled"
    await asyncio.sleep(1)
    assert await ready.jobs() == []


async def test_a_job_that_ends_without_a_result_is_a_lost_worker(ready, agent):
    agent.behave = lambda _order: None
    await ready.run()
    await ready.until_phase("Running")
    (job,) = await ready.jobs()
    await agent.end(job["metadata"]["name"], None, failed="BackoffLimitExceeded")
    await ready.until_phase("Failed")
    assert (await ready.condition(RUNS, "by-hand", "Succeeded"))["reason"] == "WorkerLost"


async def test_a_terminal_run_never_changes_whatever_happens_after(ready, agent):
    await ready.run()
    before = await ready.until_phase("Succeeded")
    (job,) = await ready.jobs()
    await agent.end(job["metadata"]["name"], {"nonsense": True})
    await ready.client.patch(
        POLICIES, ready.namespace, "orders", {"spec": {"encryption": {"age": {"recipients": ["age1x"]}}}}
    )
    await ready.until_condition(POLICIES, "orders", "Ready", "False", "KeyUnusable")
    await ready.client.delete(JOBS, ready.namespace, job["metadata"]["name"])
    await asyncio.sleep(1)
    assert (await ready.get(RUNS, "by-hand"))["status"] == before["status"]
    assert await ready.jobs() == []


async def test_a_job_of_a_dead_host_fails_its_run_in_the_end_and_is_removed(ready, agent):
    agent.behave = lambda _order: None
    await ready.run()
    await ready.until_phase("Running")
    await agent.die()
    await ready.client.patch(HOSTS, ready.namespace, "local", {"metadata": {"labels": {"poke": "1"}}})
    await ready.until_condition(HOSTS, "local", "Ready", "False", "HostNotReady")
    await ready.until_condition(POLICIES, "orders", "Ready", "False", "HostNotReady")
    ready.clock.shift = timedelta(hours=7)
    await ready.until_phase("Failed")
    assert (await ready.condition(RUNS, "by-hand", "Succeeded"))["reason"] == "DeadlineExceeded"

    async def removed():
        return not await ready.jobs()

    await until(removed, "the Job is gone")


async def test_encryption_that_cannot_be_given_means_no_backup_rather_than_one_in_the_clear(ready):
    await ready.policy("secret", database="secret", encryption={"age": {"recipients": ["age1x"]}})
    await ready.until_condition(POLICIES, "secret", "Ready", "False", "KeyUnusable")
    assert "spec.encryption" in (await ready.condition(POLICIES, "secret", "Ready"))["message"]
    await ready.run(policy="secret")
    await ready.until_phase("Failed")
    assert await ready.jobs() == []


async def test_a_run_may_be_applied_before_its_policy(world, agent):
    await world.store()
    async with world.operator():
        await world.run()
        await world.until_phase("Pending")
        await world.policy()
        await world.until_phase("Succeeded")


async def test_a_policy_that_does_not_parse_says_so_and_the_others_work_on(ready):
    sources = [{"name": "db", "postgres": {"host": "h", "user": "u", "databases": ["twice", "twice"]}}]
    await ready.policy("odd", sources=sources)
    found = await ready.until_condition(POLICIES, "odd", "Ready", "False", "InvalidSpec")
    assert "spec.sources" in found["message"]
    await ready.run()
    await ready.until_phase("Succeeded")
