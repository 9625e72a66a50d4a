"""Story: two Docker hosts under one control plane, with stacks of the same names: each is backed up where it runs."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docker.databases import DATABASE, USER, start_database
from tests.docker.engine import Engine
from tests.e2e.opening import Database, assert_same_tree, find_artifact, unpacked
from tests.e2e.secondhost import SecondHost
from tests.e2e.stronghold import Stronghold, eventually, policy, run, store, stronghold
from tests.images.build import BASE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PROJECT = "shop"
HOSTS = {"local": 300, "web-2": 500}
"""The hosts, and how many orders the database of each has."""
LABELS = ("--label=com.docker.compose.project=shop", "--label=com.docker.compose.service=db")


def start_stack(engine: Engine, host: str) -> Database:
    """The same names on each Engine, and contents of its own."""
    start_database(engine, "shop_db_1", *LABELS, rows=HOSTS[host])
    engine.docker("volume", "create", "shop_media")
    fill = f"echo of {host} > /media/where && mkdir /media/of-{host} && chown 33:33 /media/of-{host}"
    engine.docker("run", "--rm", "--network=none", "--volume=shop_media:/media", BASE, "sh", "-c", fill)
    return Database(engine, "shop_db_1", USER, DATABASE)


def host_policy(host: str) -> dict:
    """Database and media of the project, on that host."""
    body = policy(f"shop-{host}", {"container": {"project": PROJECT, "service": "db"}}, host=host)
    body["spec"]["sources"].append({"name": "media", "files": {"volume": "shop_media"}})
    return body


@pytest.fixture(scope="module")
def databases(engine: Engine, second_engine: Engine) -> dict[str, Database]:
    return {host: start_stack(each, host) for host, each in zip(HOSTS, (engine, second_engine), strict=True)}


@pytest.fixture(scope="module")
def vault(databases: dict, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stronghold]:
    """The control plane, on the first host."""
    state = tmp_path_factory.mktemp("vault") / "state"
    with stronghold(state, options=("--engine", engine.url, "--isolation=process")) as started:
        yield started


@pytest.fixture(scope="module")
def second(
    vault: Stronghold, second_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecondHost]:
    """The second host, joined with a token."""
    host = SecondHost(tmp_path_factory.mktemp("second"), second_engine.url)
    with host.running(joining(vault)):
        vault.when("dockerhost", "web-2", "EngineReady")
        yield host


def joining(vault: Stronghold) -> list[str]:
    """The command that `strongroom token` prints for the second host."""
    done = vault.strongroom("token", "web-2")
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout)


@pytest.fixture(scope="module")
def runs(vault: Stronghold, second: SecondHost, store_path: Path) -> dict[str, dict]:
    """One run of each host's policy, both at once."""
    vault.apply(store(store_path), *(host_policy(host) for host in HOSTS))
    vault.apply(*(run(f"{host}-1", f"shop-{host}") for host in HOSTS))
    finished = {host: vault.finished_run(f"{host}-1") for host in HOSTS}
    assert [each["status"]["phase"] for each in finished.values()] == ["Succeeded", "Succeeded"], finished
    return finished


def test_both_hosts_show_what_runs_on_them(vault: Stronghold, second: SecondHost) -> None:
    for host in HOSTS:
        status = vault.when("dockerhost", host, "EngineReady")["status"]
        assert [each["container"] for each in status["databases"]] == ["shop_db_1"]
        assert [each["name"] for each in status["projects"]] == [PROJECT]


def test_a_policy_covers_the_database_of_its_own_host_alone(
    vault: Stronghold, second: SecondHost, store_path: Path
) -> None:
    vault.apply(store(store_path), host_policy("local"))
    vault.when("dockerhost", "local", "DatabasesCovered")
    vault.when("dockerhost", "web-2", "DatabasesCovered", "False")


@pytest.mark.parametrize("host", HOSTS)
def test_each_hosts_database_and_volume_are_its_own(
    runs: dict, databases: dict, store_path: Path, tmp_path: Path, host: str
) -> None:
    tables = next(each for each in runs[host]["status"]["artifacts"] if each["kind"] == "database")
    assert tables["rowCount"] == HOSTS[host]
    database = databases[host]
    dump = find_artifact(store_path, runs[host], "database.*.dump.zst")
    assert database.restored(dump) == database.content()
    tree = unpacked(find_artifact(store_path, runs[host], "media.tar.zst"), tmp_path / "out")
    mountpoint = database.engine.docker("volume", "inspect", "--format={{.Mountpoint}}", "shop_media")
    assert_same_tree(Path(mountpoint), tree)
    assert (tree / "where").read_text() == f"of {host}\n"


def test_both_databases_are_covered_in_the_end(vault: Stronghold, runs: dict) -> None:
    for host in HOSTS:
        vault.when("dockerhost", host, "DatabasesCovered")


def test_a_second_agent_of_one_name_claims_nothing_and_says_so(
    vault: Stronghold, second: SecondHost, runs: dict, engine: Engine, tmp_path: Path
) -> None:
    rival = SecondHost(tmp_path, engine.url)
    with rival.running(joining(vault)):
        rival.waits_for(
            "claims nothing until that Lease is stale. Two machines need two names (--host-name)."
        )
        vault.apply(run("web-2-rivalled", "shop-web-2"))
        finished = vault.finished_run("web-2-rivalled")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]
    tables = next(each for each in finished["status"]["artifacts"] if each["kind"] == "database")
    assert tables["rowCount"] == HOSTS["web-2"]
    assert "is claimed" not in rival.log
    assert "web-2-rivalled" in second.log


def test_an_engine_that_is_away_is_one_hosts_trouble_alone(
    vault: Stronghold, second: SecondHost, runs: dict, second_engine: Engine
) -> None:
    second_engine.stop()
    vault.when("dockerhost", "web-2", "EngineReady", "False")
    vault.apply(run("local-meanwhile", "shop-local"))
    assert vault.finished_run("local-meanwhile")["status"]["phase"] == "Succeeded"
    second_engine.start()
    second_engine.docker("start", "shop_db_1")
    vault.when("dockerhost", "web-2", "EngineReady")
    eventually(
        "its database is seen again", lambda: vault.get("dockerhost", "web-2")["status"].get("databases")
    )
