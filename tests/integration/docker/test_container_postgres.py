"""Databases dumped inside their containers, by the worker as it is: what is kept, what is refused, what is left behind."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docker.cutting import CuttingProxy
from tests.docker.databases import DATABASE, USER, DatabaseContainer, start_database
from tests.docker.engine import Engine
from tests.images.build import POSTGRES, POSTGRES_BUSYBOX
from tests.integration.postgres import PROGRAMS, TRAP
from tests.integration.worker.workshop import Finished, Workshop

ROWS = 2000


@pytest.fixture(scope="module")
def database(engine: Engine) -> DatabaseContainer:
    return start_database(engine, "shop-db", "--log-driver", "none", rows=ROWS)


@pytest.fixture
def workshop(tmp_path: Path, engine: Engine) -> Workshop:
    return _workshop(tmp_path, engine.url)


def _workshop(folder: Path, url: str) -> Workshop:
    """Of sources in containers, which need no server of the workshop's own."""
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": url}
    return Workshop(folder, None, "unused", USER, environment=environment)  # type: ignore[arg-type]


def _inside(database: DatabaseContainer, **changes: Any) -> dict[str, Any]:
    return {"container": {"name": database.name}, **changes}


def _lock(database: DatabaseContainer) -> None:
    """Hold the table, so that pg_dump waits inside the container for as long as a test needs."""
    lock = "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1000)"
    database.engine.docker("exec", "--detach", database.name, "psql", "-U", USER, "-d", DATABASE, "-c", lock)
    assert database.await_programs(True, "LOCK TABLE")


def _fail(workshop: Workshop, source: dict[str, Any]) -> str:
    """The reason; and nothing of it is in the store."""
    finished = workshop.run(workshop.order(source=source))
    assert finished.code != 0
    assert workshop.files() == []
    return finished.result.reason


def _table_of_contents(workshop: Workshop, finished: Finished, index: int = 0) -> str:
    """By the stock tools alone."""
    path = workshop.artifact_path(finished, index)
    restore = f"zstd -dc '{path}' | '{PROGRAMS}/pg_restore' --list"
    return subprocess.run(["sh", "-c", restore], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("image", [POSTGRES, POSTGRES_BUSYBOX])
def test_a_container_alone_says_all_that_is_needed(engine: Engine, workshop: Workshop, image: str) -> None:
    name = f"alone-{image.rpartition(':')[2]}"
    database = start_database(engine, name, image=image, rows=ROWS)
    finished = workshop.succeed(workshop.order(source=_inside(database)))
    artifact = finished.artifact
    assert (artifact.database, artifact.row_count, artifact.file) == (
        DATABASE,
        ROWS,
        "database.shop.dump.zst",
    )
    assert "TABLE DATA public orders" in _table_of_contents(workshop, finished)
    assert [each.kind for each in finished.result.artifacts] == ["database", "globals"]
    assert database.await_programs(False) == []


@pytest.mark.parametrize("level", ["List", "Full"])
def test_without_a_pg_restore_of_this_machine_the_containers_own_reads_the_dump(
    workshop: Workshop, database: DatabaseContainer, tmp_path: Path, level: str
) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("python3", "env"):
        (tmp_path / "bin" / program).symlink_to(f"/usr/bin/{program}")
    workshop.client_folders = [str(tmp_path / "bin")]
    workshop.environment["PATH"] = str(tmp_path / "bin")
    finished = workshop.succeed(workshop.order(source=_inside(database), verification=level))
    assert finished.artifact.table_count == 1
    assert finished.artifact.row_count == (ROWS if level == "Full" else None)


def test_all_databases_and_names_that_are_hard_are_dumped(
    workshop: Workshop, database: DatabaseContainer
) -> None:
    name = 'we\'re "odd" $(id) -x'
    quoted = name.replace('"', '""')
    database.sql(f'CREATE DATABASE "{quoted}"')
    database.sql('CREATE TABLE "a b" AS SELECT 1 AS x', database=name)
    finished = workshop.succeed(workshop.order(source=_inside(database, databases=[name])))
    assert finished.artifact.database == name
    finished = workshop.succeed(
        workshop.order("second", source=_inside(database, allDatabases=True, allowEmpty=True))
    )
    assert {each.database for each in finished.result.artifacts} >= {name, DATABASE, "postgres"}
    database.sql(f'DROP DATABASE "{quoted}"')


def test_a_databases_search_path_lends_nobody_our_rights(
    workshop: Workshop, database: DatabaseContainer
) -> None:
    database.sql("CREATE DATABASE trapped")
    database.sql(TRAP + "ALTER DATABASE trapped SET search_path = trap, pg_catalog", database="trapped")
    workshop.succeed(workshop.order(source=_inside(database, databases=["trapped"])))
    assert database.sql("SELECT word FROM trap.fallen", database="trapped") == ""
    database.sql("DROP DATABASE trapped")


def test_every_labelled_container_is_dumped_into_files_of_its_own(engine: Engine, workshop: Workshop) -> None:
    for name, label in (("one-db", "shop"), ("two-db", "default/shop"), ("other-db", "elsewhere/shop")):
        start_database(engine, name, "--label", f"strongroom.dev/policy={label}", rows=ROWS)
    finished = workshop.succeed(workshop.order(source={"labelled": True}))
    files = [each.file for each in finished.result.artifacts]
    assert files == [
        "database.one-db.shop.dump.zst",
        "database.one-db.globals.sql.zst",
        "database.two-db.shop.dump.zst",
        "database.two-db.globals.sql.zst",
    ]
    for name in ("one-db", "two-db", "other-db"):
        engine.docker("rm", "--force", "--volumes", name)


def test_no_labelled_container_is_a_failure(workshop: Workshop) -> None:
    assert _fail(workshop, {"labelled": True}) == "ContainerNotFound"


def test_a_service_of_two_containers_is_ambiguous_without_an_index(
    engine: Engine, workshop: Workshop
) -> None:
    compose = ["--label", "com.docker.compose.project=p", "--label", "com.docker.compose.service=db"]
    for number in (1, 2):
        start_database(
            engine,
            f"p-db-{number}",
            *compose,
            *("--label", f"com.docker.compose.container-number={number}"),
            rows=ROWS,
        )
    service = {"project": "p", "service": "db"}
    assert _fail(workshop, {"container": service}) == "ContainerAmbiguous"
    workshop.succeed(workshop.order("second", source={"container": {**service, "index": 2}}))
    for number in (1, 2):
        engine.docker("rm", "--force", "--volumes", f"p-db-{number}")


def test_a_paused_or_missing_container_is_told_from_one_that_runs(engine: Engine, workshop: Workshop) -> None:
    database = start_database(engine, "paused-db", rows=0)
    engine.docker("pause", database.name)
    assert _fail(workshop, _inside(database)) == "ContainerNotFound"
    engine.docker("rm", "--force", "--volumes", database.name)
    assert _fail(workshop, _inside(database)) == "ContainerNotFound"


def test_no_engine_is_told_from_no_container(
    workshop: Workshop, database: DatabaseContainer, tmp_path: Path
) -> None:
    workshop.environment["DOCKER_HOST"] = f"unix://{tmp_path}/none.sock"
    assert _fail(workshop, _inside(database)) == "EngineUnreachable"


def test_a_container_without_a_client_is_told_from_one_that_fails(engine: Engine, workshop: Workshop) -> None:
    database = start_database(engine, "bare-db", rows=0)
    engine.docker("exec", database.name, "sh", "-c", "rm $(command -v pg_dump)")
    assert _fail(workshop, _inside(database)) == "ClientMissing"
    engine.docker("rm", "--force", "--volumes", database.name)


_GRANTS = """
CREATE ROLE weak LOGIN; CREATE ROLE watched LOGIN; GRANT pg_read_all_data TO watched;
CREATE DATABASE bare; CREATE DATABASE secured
"""
_SECURED = """
CREATE TABLE kept (x int); ALTER TABLE kept ENABLE ROW LEVEL SECURITY;
"""


@pytest.fixture(scope="module")
def guarded(engine: Engine) -> Iterator[DatabaseContainer]:
    """With roles that may not read all, a database without tables, and one with row-level security."""
    database = start_database(engine, "guarded-db", rows=ROWS)
    for statement in _GRANTS.split(";"):
        database.sql(statement)
    database.sql(_SECURED, database="secured")
    yield database
    engine.docker("rm", "--force", "--volumes", database.name)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"databases": ["absent"]}, "DatabaseNotFound"),
        ({"databases": ["bare"]}, "EmptyDatabase"),
        ({"user": "nobody at all"}, "AuthenticationFailed"),
        ({"user": "weak"}, "PermissionDenied"),
        ({"user": "watched", "databases": ["secured"]}, "RowSecurity"),
        ({"port": 5999}, "SourceUnreachable"),
        ({"includeTables": ["absent"]}, "InvalidSpec"),
    ],
)
def test_what_the_server_refuses_has_the_reason_that_it_has_over_the_network(
    workshop: Workshop, guarded: DatabaseContainer, changes: dict[str, Any], reason: str
) -> None:
    assert _fail(workshop, _inside(guarded, **changes)) == reason
    assert guarded.await_programs(False) == []


def test_a_table_that_stays_locked_ends_the_dump_in_time(
    workshop: Workshop, guarded: DatabaseContainer
) -> None:
    _lock(guarded)
    assert _fail(workshop, _inside(guarded, lockTimeout="1s")) == "LockTimeout"
    guarded.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'")
    assert guarded.await_programs(False) == []


def test_a_password_is_asked_for_taken_from_the_secret_and_seen_nowhere(
    engine: Engine, workshop: Workshop
) -> None:
    password = "canary \\ ' : $(id) 5f0c"
    database = start_database(engine, "password-db", rows=ROWS)
    literal = password.replace("'", "''")
    database.sql(f"ALTER ROLE {USER} PASSWORD '{literal}'")
    guard = "echo 'local all all scram-sha-256' >\"$PGDATA/pg_hba.conf\" && pg_ctl reload"
    engine.docker("exec", "--user", "postgres", database.name, "sh", "-c", guard)
    since = engine.docker("info", "--format", "{{.SystemTime}}")

    assert _fail(workshop, _inside(database)) == "AuthenticationFailed"  # with the container's, which is old
    workshop.write_secret("shop-db", "password", password)
    secret = {"passwordSecret": {"name": "shop-db", "key": "password"}}
    finished = workshop.succeed(workshop.order("second", source=_inside(database, **secret)))

    until = engine.docker("info", "--format", "{{.SystemTime}}")
    events = engine.docker("events", "--since", since, "--until", until)
    assert "exec_create" in events
    said = [events, finished.stdout, finished.stderr, finished.result.model_dump_json()]
    said += [engine.docker("inspect", database.name), engine.log]
    assert not [text for text in said if "canary" in text]
    engine.docker("rm", "--force", "--volumes", database.name)


def test_a_killed_worker_leaves_nothing_inside_and_the_server_alive(
    engine: Engine, workshop: Workshop
) -> None:
    database = start_database(engine, "killing-db", rows=ROWS)
    _lock(database)
    worker = workshop.start(workshop.order(source=_inside(database)))
    assert database.await_programs(True, "pg_dump --no-password")
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    assert database.await_programs(False, "pg_dump") == []
    assert not database.has_crashed()
    engine.docker("rm", "--force", "--volumes", database.name)


def test_a_container_recreated_while_it_is_dumped_is_a_failure_that_may_be_tried_again(
    engine: Engine, workshop: Workshop
) -> None:
    database = start_database(engine, "moving-db", rows=ROWS)
    _lock(database)
    worker = workshop.start(workshop.order(source=_inside(database)))
    assert database.await_programs(True, "pg_dump --no-password")
    engine.docker("rename", database.name, "moved-db")
    engine.docker("rm", "--force", "--volumes", "moved-db")
    finished = workshop.finish(worker)
    assert (finished.result.outcome, finished.result.retryable) == ("Failed", True)
    assert finished.result.reason in {"ContainerNotFound", "DumpIncomplete"}
    assert workshop.files() == []


def test_a_backup_over_a_cut_stream_leaves_no_artifact(guarded: DatabaseContainer, tmp_path: Path) -> None:
    with CuttingProxy(tmp_path, guarded.engine.socket) as proxy:
        workshop = _workshop(tmp_path, proxy.url)
        for cut in (0, 9_000, 50_000):
            proxy.cut_after = cut
            finished = workshop.run(workshop.order(f"cut-{cut}", source=_inside(guarded)))
            assert (finished.result.outcome, finished.result.retryable) == ("Failed", True), finished.result
            assert workshop.files() == []
    assert guarded.await_programs(False, "pg_dump") == []
    assert not guarded.has_crashed()
