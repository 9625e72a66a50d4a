"""Story: a compose stack is found, backed up where it runs by the sample's own policies, and comes back byte for byte."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.docker.compose import ComposeStack, running_stack
from tests.docker.engine import Engine
from tests.e2e.opening import Database, assert_same_tree, find_artifact, unpacked
from tests.e2e.stackhost import (
    PARTS,
    PROJECT,
    ROLE_PASSWORD,
    STACK_PASSWORD,
    Host,
    read_policies,
    whole_policy,
)
from tests.e2e.stronghold import condition, eventually, run, secret, stronghold

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WORKERS = "--filter=label=strongroom.dev/job"


@pytest.fixture(scope="module")
def stack(worker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    folder = tmp_path_factory.mktemp("stack") / PROJECT
    with running_stack(worker_engine, folder, PROJECT, POSTGRES_PASSWORD=STACK_PASSWORD) as stack:
        stack.seed()
        database = Database(worker_engine, stack.container("postgresql"))
        password = ROLE_PASSWORD.replace("'", "''")
        role = f"CREATE ROLE shop_backup LOGIN PASSWORD '{password}'; GRANT pg_read_all_data TO shop_backup"
        # By standard input: the Engine's events tell the words of every command.
        database.run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", "shop", stdin=role.encode())
        yield stack


@pytest.fixture(scope="module", params=["process", "container"])
def host(
    request: pytest.FixtureRequest, stack: ComposeStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    (folder / "store").mkdir(mode=0o700)
    since = int(time.time())
    options = ("--engine", stack.engine.url, "--isolation", request.param)
    with stronghold(folder / "state", options=options) as hold:
        yield Host(hold, stack, folder / "store", request.param, since)


@pytest.fixture(scope="module")
def uncovered(host: Host) -> dict:
    """The DockerHost before anything is said about the stack."""
    return host.hold.when("dockerhost", "local", "DatabasesCovered", "False")


@pytest.fixture(scope="module")
def runs(host: Host, uncovered: dict) -> dict[str, dict]:
    """One backup of each of the sample's policies, by the command that its file names."""
    host.hold.apply(*read_policies(host.store))
    done = [host.hold.strongroom("backup", f"{PROJECT}-{part}", "--wait") for part in PARTS]
    assert [each.returncode for each in done] == [0, 0, 0], [each.stdout + each.stderr for each in done]
    found = {run["spec"]["policy"].removeprefix(f"{PROJECT}-"): run for run in host.hold.items("backuprun")}
    assert set(found) == set(PARTS)
    return found


@pytest.fixture(scope="module")
def whole(host: Host, runs: dict) -> tuple[dict, str]:
    """One run of all three sources while the application is stopped, and all that the machine showed meanwhile."""
    host.hold.apply(
        secret("shop-db", password=ROLE_PASSWORD), whole_policy(host.store), run("whole-1", "whole")
    )
    with host.database.held("shop_order_line"):
        host.database.await_dump()
        assert (host.state("django-app"), host.state("nginx")) == ("exited", "running")
        seen = what_others_see(host.stack.engine)
    return host.hold.finished_run("whole-1"), seen


def what_others_see(engine: Engine) -> str:
    """Every command line of the machine, and the worker's container where there is one."""
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    workers = engine.docker("ps", "--all", "--quiet", WORKERS).split()
    return "\n".join([*lines, *(engine.docker("inspect", worker) for worker in workers)])


def test_the_host_shows_the_stack_and_that_nobody_backs_its_database_up(host: Host, uncovered: dict) -> None:
    status = uncovered["status"]
    (project,) = status["projects"]
    assert (project["name"], set(project["services"])) == (PROJECT, {"django-app", "nginx", "postgresql"})
    assert status["uncovered"] == [database["container"] for database in status["databases"]]
    assert condition(uncovered, "EngineReady")["status"] == "True"
    assert status["isolation"] == host.isolation


def test_once_a_policy_dumps_it_the_database_counts_as_covered(host: Host, runs: dict) -> None:
    covered = host.hold.when("dockerhost", "local", "DatabasesCovered")
    assert not covered["status"].get("uncovered")
    assert condition(covered, "Ready")["status"] == "True"


@pytest.mark.parametrize("part", PARTS)
def test_each_of_the_samples_policies_has_succeeded_verified(host: Host, runs: dict, part: str) -> None:
    assert condition(runs[part], "Succeeded")["status"] == "True"
    assert all(artifact["verification"]["readBack"] for artifact in runs[part]["status"]["artifacts"])
    policy = host.hold.get("backuppolicy", f"{PROJECT}-{part}")
    assert condition(policy, "Ready")["status"] == "True"


def test_the_database_comes_back_with_every_definition_and_row(host: Host, runs: dict) -> None:
    dump = find_artifact(host.store, runs["database"], "database.shop.dump.zst")
    original = host.database.content()
    assert host.database.restored(dump) == original
    assert sum("\t" in line for line in original) > 4000


def test_the_media_come_back_byte_for_byte_with_owners_modes_times_and_links(
    host: Host, runs: dict, tmp_path: Path
) -> None:
    tree = unpacked(find_artifact(host.store, runs["media"], "media.tar.zst"), tmp_path / "out")
    assert assert_same_tree(host.stack.volume("media"), tree) > 90


def test_the_configuration_comes_back_from_where_it_lay(host: Host, runs: dict, tmp_path: Path) -> None:
    assert_configuration(host, find_artifact(host.store, runs["config"], "config.tar.zst"), tmp_path / "out")


def assert_configuration(host: Host, archive: Path, folder: Path) -> None:
    tree = unpacked(archive, folder)
    files = [path.relative_to(tree) for path in tree.rglob("*") if path.is_file()]
    assert [name for name in files if (tree / name).read_bytes() != (Path("/") / name).read_bytes()] == []
    within = {str((Path("/") / name).relative_to(host.stack.folder)) for name in files}
    assert {".env", "docker-compose.yml", "nginx/nginx.conf", "nginx/certificates/shop.key"} <= within


def test_all_three_are_one_recovery_point(host: Host, whole: tuple[dict, str], tmp_path: Path) -> None:
    finished, _ = whole
    assert finished["status"]["phase"] == "Succeeded", finished["status"]
    manifest = json.loads(find_artifact(host.store, finished, "manifest.json").read_text())
    kinds = [file["artifact"]["kind"] for file in manifest["files"]]
    assert sorted(set(kinds)) == ["config", "database", "files", "globals"]
    dump = find_artifact(host.store, finished, "database.shop.dump.zst")
    assert host.database.restored(dump) == host.database.content()
    tree = unpacked(find_artifact(host.store, finished, "media.tar.zst"), tmp_path / "media")
    assert_same_tree(host.stack.volume("media"), tree)
    assert_configuration(host, find_artifact(host.store, finished, "config.tar.zst"), tmp_path / "config")


def test_the_application_that_was_stopped_for_it_answers_again(host: Host, whole: tuple[dict, str]) -> None:
    eventually("/health/ answers", host.answers, 60)
    states = {service: host.state(service) for service in ("postgresql", "django-app", "nginx")}
    assert set(states.values()) == {"running"}, states
    assert events(host, "die").count("django-app") == 1
    assert events(host, "start").count("django-app") == 1


def events(host: Host, *actions: str) -> list[str]:
    """Services of the stack to which that happened since Strongroom is here."""
    filters = [f"--filter=event={action}" for action in actions]
    form = '--format={{index .Actor.Attributes "com.docker.compose.service"}}'
    return host.stack.engine.docker("events", *span(host), *filters, form).splitlines()


def span(host: Host) -> list[str]:
    return [f"--since={host.since}", f"--until={int(time.time()) + 1}"]


def test_nothing_of_ours_is_left_on_the_host(host: Host, whole: tuple[dict, str]) -> None:
    engine = host.stack.engine
    eventually(
        "no worker's container is left", lambda: not engine.docker("ps", "--all", "--quiet", WORKERS), 30
    )
    eventually("the Jobs' folders are gone", lambda: not list((host.hold.state / "agent/jobs").iterdir()), 30)
    ours = [
        line for line in engine.docker("top", host.database.container).splitlines() if "strongroom" in line
    ]
    assert ours == []


PLACES: dict[str, Callable[[Host, str], str]] = {
    "command lines and the worker's container": lambda _, seen: seen,
    "what Strongroom said": lambda host, _: host.hold.log,
    "objects": lambda host, _: (
        host.hold.kubectl("get", "bp,br,bs,dh,jobs,events,configmaps,leases", "-o", "yaml").stdout
    ),
    "manifests": lambda host, _: "".join(path.read_text() for path in host.store.rglob("manifest.json")),
    "the Engine's events": lambda host, _: host.stack.engine.docker(
        "events", *span(host), "--format={{json .}}"
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_password_is_to_be_seen(host: Host, whole: tuple[dict, str], place: str) -> None:
    text = PLACES[place](host, whole[1])
    assert len(text) > 100
    for canary in (ROLE_PASSWORD, STACK_PASSWORD, "canary-"):
        assert canary not in text
