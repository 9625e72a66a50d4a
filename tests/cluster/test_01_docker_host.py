"""Story: a Docker host outside of the cluster joins it with a token, and backs up, prunes and restores by Jobs of the cluster's API."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.cluster import Room
from tests.e2e.conftest import Shop
from tests.e2e.kubectl import condition, eventually
from tests.e2e.secondhost import SecondHost
from tests.e2e.stronghold import policy, run, secret, store
from tests.integration.postgres import running_server

pytestmark = pytest.mark.cluster
ROWS = 2_000


@pytest.fixture(scope="module")
def own_shop() -> Iterator[Shop]:
    with running_server() as server:
        server.load_shop("shop", ROWS)
        server.create_backup_role("shop_backup", "backup-secret")
        yield Shop(server, "backup-secret")


@pytest.fixture(scope="module")
def joining(room: Room) -> list[str]:
    """The command that `strongroom token` prints, by a kubeconfig of the cluster's administrator."""
    done = room.strongroom("token", "web-1", "--namespace", room.namespace)
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout)


@pytest.fixture(scope="module")
def host(room: Room, joining: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondHost]:
    agent = SecondHost(tmp_path_factory.mktemp("web-1"))
    with agent.running(joining):
        room.when("dockerhost", "web-1", "Ready")
        yield agent


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def backed_up(room: Room, host: SecondHost, own_shop: Shop, store_path: Path) -> dict[str, Any]:
    """The first run, ended."""
    room.apply(
        store(store_path),
        secret("shop-db", password=own_shop.password),
        secret("shop-admin", password=own_shop.server.password),
        policy("shop", own_shop.source(), host="web-1", retention={"keepLast": 1}),
        run("first", "shop"),
    )
    return room.finished_run("first")


def test_a_policy_of_the_host_is_backed_up_and_verified_there(
    room: Room, backed_up: dict[str, Any], store_path: Path
) -> None:
    status = backed_up["status"]
    assert status["phase"] == "Succeeded", status
    assert status["artifacts"][0]["verification"]["level"] == "Full"
    assert (store_path / status["recoveryPoint"] / "manifest.json").exists()
    room.when("backuppolicy", "shop", "Fresh")


def test_the_cluster_makes_no_pod_of_the_hosts_job_and_keeps_what_the_agent_says_of_it(
    room: Room, backed_up: dict[str, Any]
) -> None:
    job = room.get("job", backed_up["status"]["job"])
    assert job["status"]["succeeded"] == 1
    assert condition(job, "Complete")["status"] == "True"
    assert job["spec"]["parallelism"] == 0
    assert room.items("pods") == []
    assert "FailedCreate" not in room.kubectl("get", "events").stdout


def test_the_next_backup_prunes_the_one_before(
    room: Room, backed_up: dict[str, Any], store_path: Path
) -> None:
    room.apply(run("second", "shop"))
    assert room.finished_run("second")["status"]["phase"] == "Succeeded"
    pruned = eventually(
        "the first is pruned", lambda: room.get("backuprun", "first")["status"].get("prunedTime"), 30
    )
    assert pruned
    assert len(list(store_path.rglob("manifest.json"))) == 1


def test_a_restore_is_carried_out_on_the_host(room: Room, backed_up: dict[str, Any], own_shop: Shop) -> None:
    before = own_shop.content_hashes()
    words = ["restore", "shop", "--namespace", room.namespace, "--to-database", "shop_copy"]
    done = room.strongroom(*words, "--db-user", "postgres", "--db-password", "shop-admin/password")
    assert done.returncode == 0, done.stdout + done.stderr
    assert own_shop.server.content_hashes("shop_copy") == before


def test_a_job_that_fails_says_why_as_on_the_embedded_api(room: Room, host: SecondHost) -> None:
    lost = {
        "host": "127.0.0.1",
        "port": 1,
        "user": "nobody",
        "passwordSecret": {"name": "shop-db", "key": "password"},
        "databases": ["shop"],
    }
    room.apply(policy("lost", lost, host="web-1", backoffLimit=0), run("lost-1", "lost"))
    status = room.finished_run("lost-1")["status"]
    assert status["phase"] == "Failed"
    assert condition({"status": status}, "Succeeded")["reason"] == "SourceUnreachable", status


def test_the_hosts_own_account_has_its_rights_and_no_others(
    room: Room, host: SecondHost, joining: list[str]
) -> None:
    credential = str(host.state / "kubeconfig")

    def may(*words: str) -> str:
        return room.kubectl("auth", "can-i", f"--kubeconfig={credential}", *words, check=False).stdout.strip()

    granted = ["get secrets/shop-db", "list jobs", "patch jobs/x", "get dockerhosts/web-1"]
    granted += [
        "patch leases/strongroom-host-web-1",
        "create serviceaccounts/strongroom-agent-web-1 --subresource=token",
    ]
    refused = [
        "list secrets",
        "create jobs",
        "delete jobs",
        "create secrets",
        "get pods",
        "patch dockerhosts/web-2",
    ]
    refused += [
        "patch leases/strongroom-host-web-2",
        "list backupruns.strongroom.dev",
        "list jobs --all-namespaces",
    ]
    assert {words: may(*words.split()) for words in granted} == dict.fromkeys(granted, "yes")
    assert {words: may(*words.split()) for words in refused} == dict.fromkeys(refused, "no")
