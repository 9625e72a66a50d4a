"""Story: Engine, containers and our own parts fail or change at the wrong moment; nothing is lost, nothing stays stopped, and it is said clearly."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.docker.compose import ComposeStack
from tests.docker.engine import Engine
from tests.e2e.opening import Database, find_artifact
from tests.e2e.stronghold import Stronghold, condition, eventually, policy, run, store, stronghold
from tests.images.build import BASE, POSTGRES

from strongroom import __version__

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
]  # the first build of the worker's image takes minutes

ROWS = 2000
WORKERS = "--filter=label=strongroom.dev/job"
COMPOSE = f"""
x-postgres: &postgres
  image: {POSTGRES}
  restart: unless-stopped
  network_mode: none
  environment: {{POSTGRES_USER: shop, POSTGRES_DB: shop, POSTGRES_PASSWORD: initial}}
services:
  db:
    <<: *postgres
    volumes: ["pgdata:/var/lib/postgresql/data"]
  reports:
    <<: *postgres
  web:
    image: {BASE}
    restart: unless-stopped
    network_mode: none
    command: [sleep, infinity]
    stop_signal: SIGKILL
    volumes: ["media:/media"]
volumes: {{pgdata: {{}}, media: {{}}}}
"""
STOP_WEB = {"stop": [{"project": "shop", "service": "web"}], "stopTimeout": "1s"}
DB = {"container": {"project": "shop", "service": "db"}}


@dataclass(frozen=True)
class Host:
    """A small stack on an Engine, and Strongroom on it with workers in containers."""

    hold: Stronghold
    stack: ComposeStack
    store: Path

    @property
    def engine(self) -> Engine:
        return self.stack.engine

    @property
    def database(self) -> Database:
        return Database(self.engine, self.stack.container("db"))

    def state(self, service: str) -> str:
        return self.engine.docker("inspect", "--format={{.State.Status}}", self.stack.container(service))

    def workers(self) -> list[str]:
        return self.engine.docker("ps", "--all", "--quiet", "--no-trunc", WORKERS).split()

    def begin(self, name: str, source: dict[str, Any], **spec: Any) -> None:
        """A policy of that name with one source of any type, and a run of it."""
        body = policy(name, {}, **spec)
        body["spec"]["sources"] = [{"name": "database", **source}]
        self.hold.apply(body, run(f"{name}-1", name))

    def backed_up(self, name: str, source: dict[str, Any], **spec: Any) -> dict:
        """The run at its end."""
        self.begin(name, source, **spec)
        return self.hold.finished_run(f"{name}-1")

    def ended(self, name: str) -> dict:
        return self.hold.finished_run(f"{name}-1", 180)


@pytest.fixture(scope="module")
def stack(worker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> ComposeStack:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "docker-compose.yml").write_text(COMPOSE)
    stack = ComposeStack(worker_engine, "shop", folder, 0, 0)
    stack.compose("up", "--detach", "db", "web")
    worker_engine.wait_healthy(stack.container("db"))
    fill(worker_engine, stack.container("db"), ROWS)
    return stack


def fill(engine: Engine, container: str, rows: int) -> None:
    Database(engine, container).sql(f"CREATE TABLE orders AS SELECT generate_series(1, {rows}) AS id")


@pytest.fixture(scope="module")
def host(stack: ComposeStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running(stack, tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(scope="module")
def strict(stack: ComposeStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host that allows little: one volume, one service, and an image that is not the operator's."""
    little = ("--allow-volume=shop_media", "--allow-container=shop/web", "--worker-image=strongroom:dev")
    with running(stack, tmp_path_factory.mktemp("strict"), *little) as host:
        yield host


@contextmanager
def running(stack: ComposeStack, folder: Path, *allowances: str) -> Iterator[Host]:
    (folder / "store").mkdir(mode=0o700)
    options = ("--engine", stack.engine.url, "--isolation=container", *allowances)
    with stronghold(folder / "state", options=options) as hold:
        hold.apply(store(folder / "store"))
        yield Host(hold, stack, folder / "store")


def verdict(finished: dict) -> tuple[str, str]:
    """Phase and reason of a run, with its message where a test prints them."""
    return finished["status"]["phase"], condition(finished, "Succeeded")["reason"]


def message(finished: dict) -> str:
    return str(condition(finished, "Succeeded")["message"])


def rows(finished: dict) -> int:
    return int(next(a["rowCount"] for a in finished["status"]["artifacts"] if a["kind"] == "database"))


def failed(host: Host, name: str) -> int:
    """Attempts of the policy's Job that have failed so far."""
    jobs = host.hold.items("jobs", f"strongroom.dev/policy={name}")
    return sum(job.get("status", {}).get("failed", 0) for job in jobs)


def test_an_engine_restarted_during_a_dump_costs_an_attempt_and_not_the_backup(host: Host) -> None:
    with host.database.held("orders"):
        host.begin("restarted", {"postgres": DB}, backoffLimit=4)
        host.database.await_dump()
        host.engine.restart()
    finished = host.ended("restarted")
    assert finished["status"]["phase"] == "Succeeded", message(finished)
    assert rows(finished) == ROWS
    assert failed(host, "restarted") >= 1


def test_an_engine_away_during_a_hooked_read_leaves_running_what_ran(host: Host) -> None:
    host.engine.wait_healthy(host.database.container)
    with host.database.held("orders"):
        host.begin("away", {"postgres": DB}, backoffLimit=6, hooks=STOP_WEB)
        host.database.await_dump()
        assert host.state("web") == "exited"
        host.engine.stop()
    host.hold.when("dockerhost", "local", "EngineReady", "False")
    host.engine.start()
    finished = host.ended("away")
    assert finished["status"]["phase"] == "Succeeded", message(finished)
    assert host.state("web") == "running"


def test_agent_and_worker_killed_while_a_service_is_stopped_leave_it_running(host: Host) -> None:
    host.engine.wait_healthy(host.database.container)
    with host.database.held("orders"):
        host.begin("killed", {"postgres": DB}, hooks=STOP_WEB)
        host.database.await_dump()
        assert host.state("web") == "exited"
        kill_agent(host)
        for worker in host.workers():
            host.engine.docker("kill", worker)
        eventually("the service runs again", lambda: host.state("web") == "running")
    assert verdict(host.ended("killed")) == ("Failed", "WorkerLost")
    eventually("no worker's container is left", lambda: not host.workers(), 30)


def kill_agent(host: Host) -> None:
    (agent,) = host.hold.part("agent")
    agent.kill()
    agent.wait(10)


def test_an_agent_killed_meanwhile_takes_its_worker_up_again(host: Host) -> None:
    with host.database.held("orders"):
        host.begin("adopted", {"postgres": DB}, hooks=STOP_WEB)
        host.database.await_dump()
        (worker,) = host.workers()
        kill_agent(host)
        eventually("another agent is there", lambda: host.hold.part("agent"))
        assert host.workers() == [worker]
    finished = host.ended("adopted")
    assert finished["status"]["phase"] == "Succeeded", message(finished)
    assert (failed(host, "adopted"), host.state("web")) == (0, "running")


def test_a_container_made_anew_between_runs_is_found_again(host: Host) -> None:
    first = host.backed_up("recreated", {"postgres": DB})
    before = host.database.container
    host.stack.compose("up", "--detach", "--force-recreate", "--no-deps", "db")
    assert host.database.container != before
    host.engine.wait_healthy(host.database.container)
    host.hold.apply(run("recreated-2", "recreated"))
    second = host.hold.finished_run("recreated-2")
    assert [rows(each) for each in (first, second)] == [ROWS, ROWS]
    assert find_artifact(host.store, first, "manifest.json").exists()


def test_a_renamed_container_is_its_service_still_and_its_old_name_is_nobodys(host: Host) -> None:
    name = host.engine.docker("inspect", "--format={{.Name}}", host.database.container).removeprefix("/")
    host.engine.docker("rename", name, "moved")
    try:
        by_service = host.backed_up("renamed", {"postgres": DB})
        by_name = host.backed_up("old-name", {"postgres": {"container": {"name": name}}})
    finally:
        host.engine.docker("rename", "moved", name)
    assert (by_service["status"]["phase"], rows(by_service)) == ("Succeeded", ROWS)
    assert verdict(by_name) == ("Failed", "ContainerNotFound")
    assert name in message(by_name)


def test_a_container_removed_during_its_dump_is_no_success(host: Host) -> None:
    with host.database.held("orders"):
        host.begin("removed", {"postgres": DB})
        host.database.await_dump()
        host.engine.docker("rm", "--force", host.database.container)
        finished = host.ended("removed")
    try:
        # The Engine ends what runs inside before it says that the container is gone.
        assert verdict(finished) in {("Failed", "ContainerNotFound"), ("Failed", "DumpIncomplete")}
        assert "shop_db_1" in message(finished)
        assert list((host.store / "default").glob("removed/**/manifest.json")) == []
    finally:
        host.stack.compose("up", "--detach", "db")
        host.engine.wait_healthy(host.database.container)


def test_of_a_service_scaled_to_two_one_must_be_chosen(host: Host) -> None:
    host.stack.compose("up", "--detach", "--scale=reports=2", "reports")
    replicas = host.stack.container("reports").split()
    for container in replicas:
        host.engine.wait_healthy(container)
        number = host.engine.docker(
            "inspect", '--format={{index .Config.Labels "com.docker.compose.container-number"}}', container
        )
        fill(host.engine, container, 100 * int(number))
    service = {"project": "shop", "service": "reports"}
    unclear = host.backed_up("scaled", {"postgres": {"container": service}})
    assert verdict(unclear) == ("Failed", "ContainerAmbiguous")
    assert "means 2 containers" in message(unclear)
    chosen = host.backed_up("chosen", {"postgres": {"container": {**service, "index": 2}}})
    assert (chosen["status"]["phase"], rows(chosen)) == ("Succeeded", 200), message(chosen)


@pytest.mark.parametrize(("volume", "reason"), [("nowhere", "SourceMissing"), ("shop_media", "SourceEmpty")])
def test_a_volume_that_is_missing_or_empty_is_no_backup(host: Host, volume: str, reason: str) -> None:
    finished = host.backed_up(f"volume-{reason.lower()}", {"files": {"volume": volume}})
    assert verdict(finished) == ("Failed", reason)
    assert volume in message(finished)
    assert "nowhere" not in host.engine.docker("volume", "ls", "--quiet").split()


FORBIDDEN = {
    "path": ({"files": {"path": "/etc"}}, "spec.sources[0].files.path", "--allow-path /etc"),
    "volume": (
        {"files": {"volume": "shop_pgdata"}},
        "spec.sources[0].files.volume",
        "--allow-volume shop_pgdata",
    ),
    "service": ({"postgres": DB}, "spec.sources[0].postgres.container", "--allow-container shop/db"),
    "image": (
        {"files": {"volume": "shop_media"}},
        "the worker's image",
        f"--allow-image strongroom:{__version__}",
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_the_machine_forbids_is_refused_with_the_field_and_the_option(strict: Host, what: str) -> None:
    source, field, option = FORBIDDEN[what]
    finished = strict.backed_up(f"forbidden-{what}", source)
    assert verdict(finished) == ("Failed", "HostForbids")
    assert field in message(finished)
    assert option in message(finished)
    assert list(strict.store.rglob("manifest.json")) == []


def test_a_store_where_the_machine_allows_none_is_refused(strict: Host) -> None:
    strict.hold.apply(store(Path("/usr/local/lib"), "elsewhere"))
    finished = strict.backed_up("forbidden-store", {"files": {"volume": "shop_media"}}, stores=["elsewhere"])
    assert verdict(finished) == ("Failed", "HostForbids")
    assert "BackupStore default/elsewhere: spec.local.path" in message(finished)
    assert "--allow-store /usr/local/lib" in message(finished)
