"""Workers in containers of a real Engine, from the image that `make image` builds."""

import asyncio
import json
import random
import time
from contextlib import contextmanager

import pytest
from tests.images.build import BASE, POSTGRES
from tests.integration.agent.hosts import work_order
from tests.integration.embedded import until
from tests.integration.postgres import running_server
from tests.keys.stock import PASSPHRASE, gpg_ring, run
from tests.s3.stores import bucket_spec

from strongroom.agent.allowances import OWN_IMAGE, Allowances
from strongroom.kube.kinds import HOSTS, JOBS


@pytest.fixture(scope="module")
def isolating(worker_engine):
    """An Engine with the worker's image."""
    return worker_engine


@pytest.fixture(scope="module")
def server():
    with running_server() as server:
        server.create_database("app")
        server.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n", "app")
        yield server


@pytest.fixture
async def box(own_host, isolating, server, tmp_path):
    """A host whose workers run in containers."""
    (tmp_path / "store").mkdir()
    await own_host.add_secret("super", password=server.password)
    own_host.image = OWN_IMAGE
    own_host.settings = {
        "engine_url": isolating.url,
        "isolation": "container",
        "allowed": Allowances(stores=(str(tmp_path),), paths=(str(tmp_path / "files"),)),
    }
    own_host.start(**own_host.settings)
    return own_host


def network_order(host, server, store):
    order = work_order("shop", host.namespace, "run-uid", ("super", "password"))
    order["stores"][0]["spec"]["local"]["path"] = str(store)
    order["backup"]["sources"][0]["postgres"] |= {"user": "postgres", "port": server.port}
    return order


def source_order(host, store, *sources, hooks=None):
    order = work_order("shop", host.namespace, "run-uid", ("super", "password"))
    order["stores"][0]["spec"]["local"]["path"] = str(store)
    order["backup"]["sources"] = [{"name": f"s{n}", **source} for n, source in enumerate(sources)]
    if hooks:
        order["backup"]["hooks"] = hooks
    return json.dumps(order)


@contextmanager
def held(server):
    """A worker that dumps meanwhile waits for this lock."""
    with server.connect("app") as connection, connection.transaction():
        connection.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        yield


def workers(engine):
    return engine.docker("ps", "--all", "--quiet", "--no-trunc", "--filter=label=strongroom.dev/job").split()


async def worker_of(engine):
    async def one():
        found = engine.docker("ps", "--quiet", "--no-trunc", "--filter=label=strongroom.dev/job").split()
        return found[0] if found else None

    return await until(one, "a worker's container runs")


async def test_a_database_is_backed_up_by_a_container_with_the_least_it_needs(
    box, isolating, server, tmp_path
):
    with held(server):
        job = await box.send("shop", order=json.dumps(network_order(box, server, tmp_path / "store")))
        container = await worker_of(isolating)
        (seen,) = json.loads(isolating.docker("inspect", container))
    condition, _, result, found = await box.finished(job, seconds=180)
    assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    assert list((tmp_path / "store").rglob("manifest.json"))
    host = seen["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] in ([], None)
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["Privileged"] is False
    assert (host["Memory"], host["PidsLimit"], host["NanoCpus"] > 0) == (2**30, 256, True)
    assert host["LogConfig"]["Type"] == "none"
    assert host["NetworkMode"] == "host"
    writable = {mount["Destination"] for mount in seen["Mounts"] if mount["RW"]}
    assert writable == {
        "/strongroom/output",
        "/strongroom/scratch",
        "/strongroom/journal",
        str(tmp_path / "store"),
    }
    assert "docker.sock" not in json.dumps(seen["Mounts"])
    for text in (json.dumps(seen), json.dumps(found), box.log.read_text()):
        assert server.password not in text
    await box.cleared(job)
    assert workers(isolating) == []


async def test_a_bucket_is_written_to_from_a_container(box, isolating, s3_server, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "one").write_text("content")
    bucket, secret = s3_server.make_bucket(), s3_server.secret_key()
    await box.add_secret("vault-keys", access="admin", secret=secret)
    order = json.loads(source_order(box, tmp_path, {"files": {"path": str(tmp_path / "files")}}))
    order["stores"] = [{"name": "vault", "spec": bucket_spec(s3_server.endpoint, bucket)}]
    job = await box.send("shop", order=json.dumps(order))
    condition, _, result, found = await box.finished(job, seconds=180)
    assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    assert any(name.endswith("manifest.json") for name in s3_server.objects(bucket))
    for text in (json.dumps(found), box.log.read_text()):
        assert secret not in text


async def test_what_a_container_encrypts_opens_with_the_stock_tools_alone(box, isolating, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "one").write_text("content")
    secret = {"name": "box", "key": "passphrase"}
    with gpg_ring() as ring:
        pair = ring.pair("box")
        await box.add_secret("box", passphrase=PASSPHRASE, public=pair.public, private=pair.private)
        kinds = {
            "gpg": {
                "publicKeySecrets": [secret | {"key": "public"}],
            },
            "openssl": {"passphraseSecret": secret, "iterations": 10_000},
        }
        verified = {"gpg": {"verificationKeySecret": secret | {"key": "private"}}, "openssl": {}}
        for kind, fields in kinds.items():
            files = {"files": {"path": str(tmp_path / "files")}}
            order = json.loads(source_order(box, tmp_path / "store", files))
            order["runUid"] = order["backup"]["run"] = f"run-{kind}"
            order["backup"]["encryption"] = {kind: fields} | verified[kind]
            job = await box.send("shop", order=json.dumps(order))
            condition, _, result, found = await box.finished(job, seconds=180)
            assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
            (artifact,) = result["artifacts"]
            assert artifact["verification"]["readBackTo"] == "Plain"
            assert PASSPHRASE not in json.dumps(found) + box.log.read_text()
        (sealed,) = (tmp_path / "store").rglob("*.tar.zst.gpg")
        plain = run("zstd", "-dc", stdin=ring.gpg("--decrypt", str(sealed)))
    assert run("tar", "-xO", "./one", stdin=plain) == b"content"


async def test_no_secret_is_in_the_engines_events(box, isolating, server, tmp_path):
    since = str(int(time.time()))
    job = await box.send("shop", order=json.dumps(network_order(box, server, tmp_path / "store")))
    assert (await box.finished(job, seconds=180))[0] == "Complete"
    events = isolating.docker(
        "events", f"--since={since}", f"--until={int(time.time()) + 1}", "--format={{json .}}"
    )
    assert "strongroom.dev/job" in events
    assert server.password not in events


async def test_a_worker_outlives_its_agent_and_is_taken_up_again(box, isolating, server, tmp_path):
    with held(server):
        job = await box.send("shop", order=json.dumps(network_order(box, server, tmp_path / "store")))
        container = await worker_of(isolating)
        box.kill()
        box.start(**box.settings)
        await until_active(box, job)
        assert workers(isolating) == [container]
    condition, _, result, found = await box.finished(job, seconds=180)
    assert (condition, found["status"]["failed"]) == ("Complete", 0), result["message"]
    await box.cleared(job)
    assert workers(isolating) == []


async def until_active(box, job):
    async def active():
        return box.has_said("is taken up again") and (await box.look(job)).get("status", {}).get("active")

    await until(active, "the worker is followed again")


async def test_the_deadline_and_the_jobs_deletion_end_the_container(box, isolating, server, tmp_path):
    order = json.dumps(network_order(box, server, tmp_path / "store"))
    with held(server):
        job = await box.send("shop", order=order, activeDeadlineSeconds=6)
        condition, reason, _, _ = await box.finished(job, seconds=180)
        assert (condition, reason) == ("Failed", "DeadlineExceeded")
        await box.cleared(job)
        assert workers(isolating) == []
        job = await box.send("shop", order=order)
        await worker_of(isolating)
        await box.client.delete(JOBS, box.namespace, job["metadata"]["name"])
        await box.cleared(job)
        assert workers(isolating) == []


async def test_a_killed_container_is_a_lost_worker_that_is_tried_again(box, isolating, server, tmp_path):
    with held(server):
        job = await box.send("shop", order=json.dumps(network_order(box, server, tmp_path / "store")))
        isolating.docker("kill", await worker_of(isolating))
        await until_failed(box, job)
    condition, _, result, found = await box.finished(job, seconds=180)
    assert (condition, found["status"]["failed"]) == ("Complete", 1), result["message"]


async def until_failed(box, job):
    async def failed():
        return (await box.look(job)).get("status", {}).get("failed")

    await until(failed, "an attempt has failed")


async def test_containers_of_others_are_left_alone_and_our_own_strays_are_removed(box, isolating):
    identity = await until(lambda: asyncio.to_thread(read_identity, box.state), "the agent has its name")
    strays = [
        isolating.docker(
            "create", f"--label=strongroom.dev/agent={agent}", "--label=strongroom.dev/job=gone", BASE, "true"
        )
        for agent in (identity, "another")
    ]

    async def swept():
        return strays[0] not in workers(isolating)

    await until(swept, "the stray is removed")
    assert workers(isolating) == [strays[1]]
    isolating.docker("rm", "--force", strays[1])


def read_identity(state):
    path = state / "identity"
    return path.read_text().strip() if path.exists() else None


async def test_an_image_that_the_machine_does_not_allow_runs_nothing(box, isolating, server, tmp_path):
    box.image = BASE
    job = await box.send("shop", order=json.dumps(network_order(box, server, tmp_path / "store")))
    condition, reason, result, _ = await box.finished(job)
    assert (condition, reason, result["reason"]) == ("Failed", "PodFailurePolicy", "HostForbids")
    assert f"--allow-image {BASE}" in result["message"]


async def test_a_path_that_the_machine_does_not_allow_is_not_mounted(box, tmp_path):
    order = source_order(box, tmp_path / "store", {"files": {"path": "/etc"}})
    _, _, result, _ = await box.finished(await box.send("shop", order=order))
    assert (result["reason"], "--allow-path /etc" in result["message"]) == ("HostForbids", True)


async def test_volumes_paths_and_a_database_in_its_container_are_read_through_gate_and_mounts(
    box, isolating, tmp_path
):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("of the host")
    isolating.docker("volume", "create", "media")
    isolating.docker(
        "run", "--rm", "--volume=media:/m", BASE, "sh", "-c", "echo x >/m/x; chown 33 /m/x; chmod 400 /m/x"
    )
    isolating.docker("run", "--detach", "--name=pg", "--env=POSTGRES_PASSWORD=in-container-5521", POSTGRES)
    isolating.wait_healthy("pg")
    isolating.docker("exec", "pg", "psql", "-U", "postgres", "-c", "CREATE TABLE t AS SELECT 1 AS n")
    app = isolating.docker("run", "--detach", "--name=app", BASE, "sleep", "600")
    order = source_order(
        box,
        tmp_path / "store",
        {"postgres": {"container": {"name": "pg"}}},
        {"files": {"volume": "media"}},
        {"files": {"path": str(tmp_path / "files")}},
        hooks={"stop": [{"name": "app"}], "stopTimeout": "1s"},
    )
    job = await box.send("shop", order=order)
    condition, _, result, found = await box.finished(job, seconds=180)
    assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    assert isolating.docker("inspect", "--format={{.State.Running}}", app) == "true"
    (manifest,) = (tmp_path / "store").rglob("manifest.json")
    assert len(list(manifest.parent.iterdir())) >= 4
    for text in (json.dumps(found), manifest.read_text(), box.log.read_text()):
        assert "in-container-5521" not in text
    isolating.docker("rm", "--force", "pg", "app")


async def test_a_volume_that_is_missing_is_not_made(box, isolating, tmp_path):
    order = source_order(box, tmp_path / "store", {"files": {"volume": "nowhere"}})
    _, _, result, _ = await box.finished(await box.send("shop", order=order))
    assert result["reason"] == "SourceMissing"
    assert "nowhere" not in isolating.docker("volume", "ls", "--quiet").split()


async def test_a_host_shows_its_engine_and_what_it_holds_and_when_it_is_away(box, isolating):
    label = ["--label=com.docker.compose.project=shop", "--label=com.docker.compose.service=db"]
    isolating.docker("run", "--detach", "--name=shop-db", *label, "--env=POSTGRES_PASSWORD=x", POSTGRES)

    def shown(**wanted):
        async def look():
            status = (await box.client.get(HOSTS, box.namespace, box.name) or {}).get("status", {})
            return all(check(status) for check in wanted.values()) and status

        return until(look, f"the host shows {', '.join(wanted)}")

    status = await shown(
        database=lambda s: [d["container"] for d in s.get("databases", [])] == ["shop-db"],
        project=lambda s: s.get("projects") == [{"name": "shop", "services": ["db"], "volumes": []}],
        version=lambda s: s.get("engine", {}).get("version"),
    )
    assert status["isolation"] == "container"
    assert "problem" not in status["engine"]
    await asyncio.to_thread(isolating.stop)
    await shown(problem=lambda s: s["engine"].get("problem"), none=lambda s: "version" not in s["engine"])
    await asyncio.to_thread(isolating.start)
    isolating.docker("rm", "--force", "shop-db")
    await shown(
        back=lambda s: s["engine"].get("version") and "problem" not in s["engine"],
        cleared=lambda s: not s.get("databases") and not s.get("projects"),
    )


async def test_a_job_that_finds_no_engine_says_so_and_runs_when_it_is_back(box, isolating, server, tmp_path):
    await asyncio.to_thread(isolating.stop)
    order = json.dumps(network_order(box, server, tmp_path / "store"))
    given_up = await box.send("shop", order=order, backoffLimit=0)
    _, _, result, _ = await box.finished(given_up)
    assert result["reason"] == "EngineUnreachable"
    job = await box.send("shop", order=order, backoffLimit=50)
    await until_failed(box, job)
    await asyncio.to_thread(isolating.start)
    condition, _, result, _ = await box.finished(job, seconds=180)
    assert condition == "Complete", result["message"]


async def test_an_agent_killed_at_any_moment_loses_no_job_and_leaves_no_container(
    box, isolating, server, tmp_path
):
    order = network_order(box, server, tmp_path / "store")
    order["backup"]["retention"] = {"keepLast": 10}
    jobs = []
    for number in range(3):
        order["runUid"], order["backup"]["run"] = f"run-{number}", f"run-{number}"
        jobs.append(await box.send("shop", order=json.dumps(order), backoffLimit=20))
    chance = random.Random(8812)
    for _ in range(6):
        await asyncio.sleep(chance.uniform(0.3, 2.0))
        box.kill()
        box.start(**box.settings)
    for job in jobs:
        condition, _, result, _ = await box.finished(job, seconds=120)
        assert condition == "Complete", result["message"]
        await box.cleared(job)
    assert len(list((tmp_path / "store").rglob("manifest.json"))) == len(jobs)
    assert workers(isolating) == []


async def test_the_host_alone_chooses_containers_where_the_image_is_present(box, isolating, server, tmp_path):
    box.kill()
    box.start(**box.settings | {"isolation": "auto", "worker_image": "strongroom:absent"})
    job = await box.send("shop", order=json.dumps(network_order(box, server, tmp_path / "store")))
    assert (await box.finished(job, seconds=180))[0] == "Failed"  # the tests' own worker runs as a process
    assert "is process" in box.log.read_text()
    box.kill()
    box.start(**box.settings | {"isolation": "auto"})
    job = await box.send("shop", order=json.dumps(network_order(box, server, tmp_path / "store")))
    assert (await box.finished(job, seconds=180))[0] == "Complete"
    assert "is container" in box.log.read_text()


async def test_a_projects_configuration_and_a_containers_own_files_are_read_in_isolation(
    box, isolating, tmp_path
):
    folder = tmp_path / "blog"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text("services: {}\n")
    (folder / ".env").write_text("MODE=production\n")
    labels = {
        "project": "blog",
        "service": "app",
        "project.working_dir": str(folder),
        "project.config_files": "docker-compose.yml",
    }
    options = [f"--label=com.docker.compose.{name}={value}" for name, value in labels.items()]
    isolating.docker("run", "--detach", "--name=blog", *options, BASE, "sleep", "600")
    order = source_order(
        box,
        tmp_path / "store",
        {"config": {"project": "blog", "allowUnencrypted": True}},
        {"files": {"inContainer": {"container": {"name": "blog"}, "path": "/etc/nginx"}}},
    )
    condition, _, result, _ = await box.finished(await box.send("shop", order=order), seconds=180)
    isolating.docker("rm", "--force", "blog")
    assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    names = sorted(path.name.partition(".")[0] for path in (tmp_path / "store").rglob("*.tar*"))
    assert names == ["s0", "s1"]


async def test_an_engine_killed_under_a_worker_costs_an_attempt_and_no_more(box, isolating, server, tmp_path):
    with held(server):
        order = json.dumps(network_order(box, server, tmp_path / "store"))
        job = await box.send("shop", order=order, backoffLimit=50)
        await worker_of(isolating)
        await asyncio.to_thread(isolating.kill)
        await asyncio.to_thread(isolating.start)
    condition, _, result, _ = await box.finished(job, seconds=120)
    assert condition == "Complete", result["message"]
    await box.cleared(job)

    async def none_left():
        return workers(isolating) == []

    await until(none_left, "no container is left")
