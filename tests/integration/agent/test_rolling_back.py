"""Restores that are given up: a last worker puts the old state back, whoever was killed, before services run on it."""

import json
import os
import secrets
import signal

import pytest
from tests.integration.embedded import until

from strongroom.kube.kinds import JOBS, SECRETS


def restore_order(behaviour, namespace, run, **restore):
    return json.dumps(
        {
            "kind": "Restore",
            "namespace": namespace,
            "runUid": run,
            "deadlineSeconds": 300,
            "stores": [{"name": "local", "spec": {"local": {"path": "/nowhere"}}}],
            "restore": {"request": "again", "choice": {"policy": behaviour}, "mode": "InPlace", **restore},
        }
    )


async def send(host, behaviour, restore=(), **spec):
    run = secrets.token_hex(8)
    order = restore_order(behaviour, host.namespace, run, **dict(restore))
    job = await host.send(behaviour, order=order, **spec)
    job["metadata"]["uid_of_run"] = run
    return job


def backwards(host, job):
    file = host.notes / f"{job['metadata']['uid_of_run']}.back"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


async def going_back(host, job, count=1):
    async def begun():
        return len(backwards(host, job)) >= count

    await until(begun, f"{count} workers of {job['metadata']['name']} go back")


async def test_after_the_last_worker_that_was_lost_another_one_puts_the_old_state_back(host):
    job = await send(host, "die")
    host.go(job)
    kind, reason, result, _ = await host.finished(job)
    assert (kind, reason, result["reason"]) == ("Failed", "BackoffLimitExceeded", "WorkerLost")
    assert "the old state is back" in result["message"]
    assert result["restore"]["rolledBack"]
    assert len(host.starts(job)) == 3
    assert len(backwards(host, job)) == 1


@pytest.mark.parametrize("behaviour", ["succeed", "told", "refused"])
async def test_a_worker_that_told_what_came_of_it_is_the_last(host, behaviour):
    job = await send(host, behaviour)
    await host.finished(job)
    assert (len(host.starts(job)), backwards(host, job)) == (1, [])


async def test_a_key_that_is_deleted_meanwhile_does_not_keep_the_old_state_away(host):
    await host.add_secret("opens", key="x")
    opening = {"decryptionKeys": [{"name": "opens", "key": "key"}]}
    job = await send(host, "die", {"opening": opening})
    await host.started(job)
    await host.client.delete(SECRETS, host.namespace, "opens")
    host.go(job)
    _, reason, result, _ = await host.finished(job)
    assert (reason, result["reason"]) == ("PodFailurePolicy", "SecretMissing")
    assert "the old state is back" in result["message"]
    assert len(backwards(host, job)) == 1


async def test_a_deadline_that_is_over_leaves_time_to_go_back(host):
    job = await send(host, "stubborn", activeDeadlineSeconds=2)
    host.go(job)
    _, reason, result, _ = await host.finished(job)
    assert (reason, result["reason"]) == ("DeadlineExceeded", "DeadlineExceeded")
    assert "the old state is back" in result["message"]


async def test_a_restore_whose_job_is_deleted_goes_back_all_the_same(host):
    job = await send(host, "stubborn")
    await host.started(job)
    await host.client.delete(JOBS, host.namespace, job["metadata"]["name"])
    await going_back(host, job)
    host.go(job)
    await host.cleared(job)


async def test_it_is_tried_again_and_people_are_called_when_it_fails(host):
    for failures, reason, tries in ((2, "WorkerLost", 3), (9, "RollBackFailed", 3)):
        job = await send(host, "die", backoffLimit=0)
        (host.notes / f"{job['metadata']['uid_of_run']}.failures").write_text(str(failures))
        host.go(job)
        _, _, result, _ = await host.finished(job)
        assert (result["reason"], len(backwards(host, job))) == (reason, tries)
        assert ("the disk is away" in result["message"]) == (failures == 9)


async def test_kills_of_agent_and_worker_on_the_way_back_hold_it_up_and_no_more(own_host):
    own_host.start()
    job = await send(own_host, "die", backoffLimit=0)
    await going_back(own_host, job)
    own_host.kill()
    own_host.start()
    os.kill(backwards(own_host, job)[0], signal.SIGKILL)
    await going_back(own_host, job, 2)
    own_host.kill()
    own_host.start()
    own_host.go(job)
    _, _, result, _ = await own_host.finished(job)
    assert "the old state is back" in result["message"]
    assert len(backwards(own_host, job)) == 2
