"""Databases restored inside their containers, with services stopped around the exchange and the way back when they are not well."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docker.databases import DATABASE, USER, DatabaseContainer, start_database
from tests.docker.engine import Engine
from tests.images.build import POSTGRES, POSTGRES_BUSYBOX
from tests.integration.worker.workshop import NAMESPACE, Finished, Workshop

ROWS = 2000
CONTENT = "SELECT count(*) || md5(string_agg(o::text, '' ORDER BY id)) FROM orders o"


@pytest.fixture
def workshop(tmp_path: Path, engine: Engine) -> Workshop:
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine.url}
    return Workshop(tmp_path, None, "unused", USER, environment=environment)  # type: ignore[arg-type]


def order(workshop: Workshop, database: DatabaseContainer, **restore: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "kind": "Restore",
        "namespace": NAMESPACE,
        "runUid": restore.pop("uid", f"uid-{secrets.token_hex(4)}"),
        "stores": [{"name": "disk", "spec": {"local": {"path": str(workshop.store)}}}],
        "deadlineSeconds": 300,
        "restore": {
            "request": "back",
            "choice": {"policy": "shop", "run": "first"},
            "mode": "InPlace",
            "targets": [{"name": "database", "postgres": {"container": {"name": database.name}}}],
            "overwrites": [{"source": "database", "database": DATABASE}],
            **restore,
        },
    }


def back_up(workshop: Workshop, database: DatabaseContainer) -> Finished:
    return workshop.succeed(workshop.order(source={"container": {"name": database.name}}))


@pytest.mark.parametrize("image", [POSTGRES, POSTGRES_BUSYBOX])
@pytest.mark.parametrize("jobs", [1, 4])
def test_a_database_is_restored_inside_its_container_laid_down_or_streamed(
    engine: Engine, workshop: Workshop, image: str, jobs: int
) -> None:
    name = f"back-{image.rpartition(':')[2]}-{jobs}"
    database = start_database(engine, name, image=image, rows=ROWS)
    for sibling in range(4):  # several tables alike are loaded at the same time, from the dump laid down
        database.sql(f"CREATE TABLE sibling_{sibling} AS SELECT generate_series(1, {ROWS}) AS n")
    before = database.sql(CONTENT)
    back_up(workshop, database)
    database.sql("DELETE FROM orders WHERE id % 2 = 0")
    finished = workshop.succeed(order(workshop, database, jobs=jobs))
    assert finished.result.restore is not None
    assert database.sql(CONTENT) == before
    assert database.await_programs(False) == []
    assert (
        engine.docker("exec", database.name, "sh", "-c", "ls /tmp /dev/shm | grep strongroom || true") == ""
    )
    engine.docker("rm", "--force", "--volumes", database.name)


def test_a_killed_worker_leaves_no_dump_in_the_container_once_it_is_given_up(
    engine: Engine, workshop: Workshop
) -> None:
    database = start_database(engine, "laid-down", rows=ROWS)
    for number in range(3):  # equal tables: several sessions gain by a dump that lies there
        database.sql(f"CREATE TABLE sibling_{number} AS SELECT * FROM orders")
    workshop.journal = workshop.folder / "journal"
    back_up(workshop, database)
    named = ["sh", "-c", "ls /tmp | grep strongroom || true"]
    order_ = order(workshop, database, jobs=4)
    process = workshop.start(order_)
    while not (found := engine.docker("exec", database.name, *named)):
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert ".dump" in found
    assert workshop.finish(workshop.start(order_, roll_back=True)).result.outcome == "Succeeded"
    assert engine.docker("exec", database.name, *named) == ""
    engine.docker("rm", "--force", "--volumes", database.name)


@pytest.fixture(scope="module")
def database(engine: Engine) -> DatabaseContainer:
    return start_database(engine, "shop-db", rows=ROWS)


@pytest.fixture
def shop(engine: Engine, database: DatabaseContainer, workshop: Workshop) -> Iterator[Workshop]:
    """Backed up and damaged, with one application that runs and one that does not; at the end these are as they were."""
    workshop.journal = workshop.folder / "journal"
    for name in ("app", "idle-app"):
        engine.docker(
            "run", "--detach", "--init", "--network", "none", "--name", name, POSTGRES, "sleep", "1000"
        )
    engine.docker("stop", "--time", "0", "idle-app")
    database.sql("DROP TABLE orders")
    database.fill(ROWS)
    back_up(workshop, database)
    database.sql("DELETE FROM orders WHERE id % 3 = 0")
    yield workshop
    assert running(engine) == {"shop-db", "app"}
    assert not list(workshop.journal.glob("0*.json"))
    engine.docker("rm", "--force", "app", "idle-app")
    for name in kept(database):
        database.sql(f'DROP DATABASE "{name}"', database="postgres")


def running(engine: Engine) -> set[str]:
    return set(engine.docker("ps", "--format", "{{.Names}}").split())


def kept(database: DatabaseContainer) -> list[str]:
    query = "SELECT datname FROM pg_database WHERE datname LIKE 'shop_%'"
    return database.sql(query, database="postgres").split()


def health(command: str, timeout: str = "60s") -> dict[str, Any]:
    exec_ = {"container": {"name": "app"}, "command": ["sh", "-c", command]}
    return {"hooks": STOP, "healthCheck": {"exec": exec_, "timeout": timeout}}


STOP = {"stop": [{"name": "app"}, {"name": "idle-app"}], "stopTimeout": "1s"}


def test_services_that_ran_are_stopped_around_the_exchange_and_run_again(
    engine: Engine, shop: Workshop, database: DatabaseContainer
) -> None:
    before = engine.docker("inspect", "--format", "{{.State.StartedAt}}", "app")
    finished = shop.succeed(order(shop, database, **health("true")))
    assert finished.result.restore is not None
    names = [step.name for step in finished.result.restore.steps]
    assert names == ["Fetch", "Restore", "Compare", "StopServices", "Swap", "StartServices", "HealthCheck"]
    assert engine.docker("inspect", "--format", "{{.State.StartedAt}}", "app") != before
    assert database.sql("SELECT count(*) FROM orders") == str(ROWS)


def test_an_application_that_is_not_well_runs_again_on_its_old_database(
    shop: Workshop, database: DatabaseContainer
) -> None:
    damaged = database.sql(CONTENT)
    finished = shop.run(order(shop, database, **health("exit 7", "2s")))
    assert finished.result.reason == "HealthCheckFailed", finished.result.message
    assert "exit code 7" in finished.result.message
    assert (database.sql(CONTENT), kept(database)) == (damaged, [])


@pytest.mark.parametrize("stage", ["Hooks", "Swap", "HealthCheck"])
def test_a_killed_workers_services_run_again_whether_the_next_one_goes_on_or_gives_up(
    shop: Workshop, database: DatabaseContainer, stage: str
) -> None:
    damaged = database.sql(CONTENT)
    for gives_up in (True, False):
        wanted = order(shop, database, uid=f"uid-{stage}-{gives_up}", **health("sleep 60"))
        process = shop.start(wanted)
        assert process.stdout is not None
        assert any(f'"stage":"{stage}"' in line for line in process.stdout)
        process.kill()
        process.communicate()
        wanted["restore"]["healthCheck"] = health("true")["healthCheck"]
        finished = shop.finish(shop.start(wanted, roll_back=gives_up))
        assert finished.result.outcome == "Succeeded", finished.result.message
        if gives_up:
            assert (database.sql(CONTENT), kept(database)) == (damaged, [])
    assert database.sql("SELECT count(*) FROM orders") == str(ROWS)
