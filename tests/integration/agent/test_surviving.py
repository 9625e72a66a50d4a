import os
import signal

from tests.integration.agent.hosts import Host, gone
from tests.integration.embedded import served, until

from strongroom.kube.connection import connect
from strongroom.kube.kinds import HOSTS, JOBS, LEASES


async def test_a_killed_agents_worker_is_adopted_and_not_doubled(own_host):
    own_host.start()
    job = await own_host.send("wait")
    (pid,) = await own_host.started(job)
    own_host.kill()
    own_host.start()
    await taken_up(own_host)
    own_host.go(job)
    assert (await own_host.finished(job))[0] == "Complete"
    assert own_host.starts(job) == [pid]
    await own_host.cleared(job)


async def test_an_adopted_worker_still_has_its_deadline(own_host):
    own_host.start()
    job = await own_host.send("stubborn", activeDeadlineSeconds=2)
    (pid,) = await own_host.started(job)
    own_host.kill()
    own_host.start()
    _, reason, result, _ = await own_host.finished(job)
    assert (reason, result["reason"]) == ("DeadlineExceeded", "DeadlineExceeded")
    await gone(pid)
    assert own_host.starts(job) == [pid]


async def test_what_happened_while_no_agent_ran_is_found_out(own_host):
    own_host.start()
    done = await own_host.send("wait")
    (pid,) = await own_host.started(done)
    lost = await own_host.send("wait", backoffLimit=0)
    (lost_pid,) = await own_host.started(lost)
    own_host.kill()
    os.kill(lost_pid, signal.SIGKILL)
    own_host.go(done)
    await gone(pid)
    own_host.start(max_jobs=2)
    assert (await own_host.finished(done))[0] == "Complete"
    _, reason, result, _ = await own_host.finished(lost)
    assert (reason, result["reason"]) == ("BackoffLimitExceeded", "WorkerLost")
    assert own_host.starts(done) == [pid]


async def test_a_job_deleted_while_no_agent_ran_is_ended(own_host):
    own_host.start()
    job = await own_host.send("stubborn")
    (pid,) = await own_host.started(job)
    own_host.kill()
    await own_host.client.delete(JOBS, own_host.namespace, job["metadata"]["name"])
    own_host.start()
    await gone(pid)
    await own_host.cleared(job)


async def test_attempts_are_counted_over_restarts(own_host):
    own_host.start()
    job = await own_host.send("wait", backoffLimit=1)
    (first,) = await own_host.started(job)
    own_host.kill()
    os.kill(first, signal.SIGKILL)
    own_host.start()
    _, second = await own_host.started(job, 2)
    own_host.kill()
    os.kill(second, signal.SIGKILL)
    own_host.start()
    condition, reason, result, found = await own_host.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "BackoffLimitExceeded", "WorkerLost")
    assert (len(own_host.starts(job)), found["status"]["failed"]) == (2, 2)


async def test_a_clean_stop_leaves_the_worker_to_the_next_agent(own_host):
    own_host.start()
    job = await own_host.send("wait")
    (pid,) = await own_host.started(job)
    assert await own_host.stop() == 0
    lease = await own_host.client.get(LEASES, own_host.namespace, f"strongroom-host-{own_host.name}")
    assert lease["spec"]["holderIdentity"]
    own_host.start(drain=True)
    await taken_up(own_host)
    own_host.go(job)
    assert await own_host.stop() == 0
    assert (await own_host.finished(job))[0] == "Complete"
    assert own_host.starts(job) == [pid]


async def test_a_result_is_delivered_after_the_api_was_down(tmp_path):
    with served(tmp_path / "api") as api:
        host = Host(api, tmp_path)
        try:
            async with connect(api.admin) as host.client:
                await host.create()
                host.start()
                job = await host.send("wait")
                (pid,) = await host.started(job)
                api.kill()
                host.go(job)
                await gone(pid)
                host.kill()
                host.start()
                await taken_up(host)
                api.start()
                assert (await host.finished(job))[0] == "Complete"
                assert host.starts(job) == [pid]
                await host.cleared(job)
        finally:
            host.clean_up()


async def test_one_state_folder_has_one_agent(own_host):
    own_host.start()
    await registered(own_host)
    second = own_host.twin()
    second.start()
    assert await second.ended() == 1
    assert "another agent (pid" in second.log.read_text()


async def test_one_host_has_one_agent_until_its_lease_is_stale(own_host, tmp_path):
    own_host.start()
    await registered(own_host)
    job = await own_host.send("wait")
    (pid,) = await own_host.started(job)
    second = own_host.twin(tmp_path / "second")
    try:
        second.start()

        async def refused():
            return second.has_said("whose Lease is alive")

        await until(refused, "the second agent says that it is not the host")
        own_host.kill()
        later = await own_host.send("succeed")
        assert (await own_host.finished(later))[0] == "Complete"
        assert second.starts(later)
        # The first one's Job is not doubled: its worker may run still, and its own agent may come back.
        own_host.go(job)
        await gone(pid)
        own_host.start()
        assert (await own_host.finished(job))[0] == "Complete"
        assert own_host.starts(job) == [pid]
    finally:
        second.clean_up()


async def test_a_job_whose_agent_never_comes_back_is_ended_after_its_deadline(own_host, tmp_path):
    own_host.start()
    job = await own_host.send("stubborn", activeDeadlineSeconds=2)
    await own_host.started(job)
    own_host.kill()
    second = own_host.twin(tmp_path / "second")
    try:
        second.start()
        condition, reason, _, _ = await own_host.finished(job)
        assert (condition, reason, len(own_host.starts(job))) == ("Failed", "DeadlineExceeded", 1)
    finally:
        second.clean_up()


async def test_the_host_is_registered_with_what_the_machine_has(own_host):
    own_host.start(served_namespaces=(own_host.namespace, "team-b"), max_jobs=3)
    found = await registered(own_host)
    assert found["spec"] == {"allowedNamespaces": ["team-b"], "maxConcurrentJobs": 3}
    status = found["status"]
    assert (status["isolation"], status["runningJobs"]) == ("process", 0)
    assert status["agentVersion"]
    assert status["operatingSystem"]
    assert "conditions" not in status
    job = await own_host.send("wait")

    async def busy():
        found = await own_host.client.get(HOSTS, own_host.namespace, own_host.name)
        return found["status"]["runningJobs"] == 1

    await until(busy, "the host says that it runs a Job")
    own_host.go(job)
    await own_host.finished(job)
    await own_host.cleared(job)
    assert await own_host.stop() == 0
    lease = await own_host.client.get(LEASES, own_host.namespace, f"strongroom-host-{own_host.name}")
    assert not lease["spec"].get("holderIdentity")


async def registered(host):
    async def status():
        found = await host.client.get(HOSTS, host.namespace, host.name)
        return found if found and found.get("status", {}).get("lastHeartbeatTime") else None

    return await until(status, "the host is registered")


async def taken_up(host):
    async def said():
        return host.has_said("is taken up again")

    await until(said, "the agent takes its Job up again")
