"""A canary goes through every path that a secret could leave by."""

import json
from pathlib import Path

from tests.integration.agent.hosts import work_order
from tests.integration.embedded import until

from strongroom.kube.kinds import EVENTS, HOSTS, NAMESPACES

CANARY = "pg-canary-8471"


async def test_a_missing_secret_ends_the_job_and_says_who_needs_it(host):
    job = await host.send("succeed", secret=("nothing", "password"))
    condition, reason, result, found = await host.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "PodFailurePolicy", "SecretMissing")
    message = found["status"]["conditions"][-1]["message"]
    for word in ("Secret nothing", host.namespace, "key password", "BackupPolicy succeed"):
        assert word in message
    assert host.starts(job) == []


async def test_a_missing_key_ends_the_job_and_says_which(host):
    _, _, result, _ = await host.finished(await host.send("succeed", secret=("pg", "pass-word")))
    assert result["reason"] == "SecretKeyMissing"
    for word in ("Secret pg", "no key pass-word", "BackupPolicy succeed"):
        assert word in result["message"]


async def test_a_secret_that_only_a_store_lacks_is_left_to_the_worker_to_tell(host):
    order = work_order("succeed", host.namespace, "uid-lacking", ("pg", "password"))
    keys = {name: {"name": "vault-keys", "key": name[:3]} for name in ("accessKeySecret", "secretKeySecret")}
    vault = {"bucket": "backups", "endpoint": "http://127.0.0.1:9", **keys}
    order["stores"].append({"name": "vault", "spec": {"s3": vault, "media": "object"}})
    job = await host.send("succeed", order=json.dumps(order))
    _, _, result, _ = await host.finished(job)
    assert result["outcome"] == "Succeeded", result
    assert "left to the worker: Secret vault-keys does not exist" in host.log.read_text()


async def test_a_secret_reaches_the_worker_as_private_files_and_nothing_else(host):
    job = await host.send("spill")
    (pid,) = await host.started(job)
    process = Path(f"/proc/{pid}")
    assert CANARY not in process.joinpath("cmdline").read_text()
    assert CANARY not in process.joinpath("environ").read_text()
    assert await progress_is_told(host, job)
    host.go(job)
    condition, reason, result, found = await host.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "PodFailurePolicy", "DumpFailed")
    assert result["message"] == "pg_dump said: [secret]"
    notes = host.notes / f"{job['metadata']['uid_of_run']}.modes"
    assert notes.read_text() == "0o600 0o700"
    assert CANARY not in json.dumps(found)
    assert CANARY not in host.log.read_text()
    everything = [*(await host.client.list(EVENTS)).items, *(await host.client.list(HOSTS)).items]
    assert CANARY not in json.dumps(everything)
    await host.cleared(job)


async def test_last_words_of_a_lost_worker_are_shown_without_its_secret(host):
    job = await host.send("spill", backoffLimit=0)
    host.go(job)
    _, _, result, found = await host.finished(job)
    assert result["reason"] == "WorkerLost"
    assert result["message"].endswith("(exit 1); its last words: Traceback: [secret]")
    assert CANARY not in json.dumps(found)


async def test_secrets_lie_where_they_are_told_to_and_are_removed(own_host, tmp_path):
    place = tmp_path / "tmpfs"
    own_host.start(secrets_dir=place)
    job = await own_host.send("wait")
    await own_host.started(job)
    assert [f.relative_to(place) for f in place.rglob("*") if f.is_file()] == [
        Path(job["metadata"]["uid"]) / "pg" / "password"
    ]
    own_host.go(job)
    await own_host.finished(job)
    await own_host.cleared(job)
    assert list(place.iterdir()) == []


async def test_a_secret_of_another_namespace_is_out_of_reach(host):
    name = f"{host.namespace}-other"
    await host.client.create(NAMESPACES, None, {"metadata": {"name": name}})
    job = await host.send("spill", namespace=name)
    condition, reason, result, found = await host.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "PodFailurePolicy", "NamespaceNotServed")
    assert f"does not serve namespace {name}" in found["status"]["conditions"][-1]["message"]
    assert host.starts(job) == []


async def test_an_order_for_another_namespace_is_refused(host):
    order = work_order("succeed", "elsewhere", "run", ("pg", "password"))
    _, _, result, _ = await host.finished(await host.send("succeed", order=json.dumps(order)))
    assert (result["reason"], "for the namespace elsewhere" in result["message"]) == ("InvalidOrder", True)


async def test_an_order_that_is_none_is_refused_by_its_field(host):
    more = work_order("succeed", host.namespace, "run", ("pg", "password")) | {"sudo": True}
    for order, word in (("{", "JSON"), (json.dumps(more), "sudo: Extra"), ("[]", "object")):
        job = await host.send("succeed", order=order)
        condition, reason, result, _ = await host.finished(job)
        assert (condition, reason, result["reason"]) == ("Failed", "PodFailurePolicy", "InvalidOrder")
        assert word in result["message"]


async def progress_is_told(host, job):
    async def told():
        notes = (await host.look(job))["metadata"].get("annotations", {})
        return "[secret]" in notes.get("strongroom.dev/progress", "")

    return await until(told, "progress is told")
