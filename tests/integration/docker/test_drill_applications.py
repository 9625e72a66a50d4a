"""Applications in drills: beside the throw-away server, with its loopback alone, asked how they are, and gone afterwards."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docker.databases import USER, start_database
from tests.docker.engine import Engine
from tests.images.build import POSTGRES_BUSYBOX, WEB
from tests.integration.docker.test_drill_containers import left
from tests.integration.worker.drills import MEMORY_BYTES, Drills
from tests.integration.worker.workshop import Workshop

from strongroom.api.drills import DrillApplication
from strongroom.api.errors import StrongroomError
from strongroom.api.restoring import CheckResult
from strongroom.engine.connecting import connect_engine
from strongroom.engine.drillcontainers import DrillContainer
from strongroom.sources.postgres.throwaway.containers import running_container
from strongroom.sources.postgres.throwaway.servers import ThrowAway, Wanted
from strongroom.worker.drilling.applications import check_application

ROWS = 40
SOURCE = {"container": {"name": "shop-db"}, "databases": ["shop"]}
# Writes as the owner would, and tells how many rows there are and which networks it sees.
SERVE = """
import http.server, os, psycopg2
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute(os.environ["CHANGE"])
            cursor.execute("SELECT count(*) FROM orders")
            rows = cursor.fetchone()[0]
        self.send_response(200 if self.path == "/health?deep=1" else 404)
        self.end_headers()
        self.wfile.write(f"{rows} orders, networks {os.listdir('/sys/class/net')}".encode())
http.server.HTTPServer(("127.0.0.1", 8000), Page).serve_forever()
"""
CHANGE = "CHANGE=ALTER TABLE orders ADD COLUMN IF NOT EXISTS seen text"


def application(**more: Any) -> dict[str, Any]:
    serving = {"image": WEB, "command": ["python3", "-c", SERVE], "database": "shop", "timeout": "60s"}
    asked = {"port": 8000, "path": "/health?deep=1"} if "exec" not in more else {}
    return serving | {"environment": [CHANGE]} | asked | more


def test_an_application_that_works_on_what_was_restored_is_told_and_nothing_is_left(
    engine: Engine, tmp_path: Path
) -> None:
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine.url}
    drills = Drills(Workshop(tmp_path, None, "unused", USER, environment=environment))  # type: ignore[arg-type]
    start_database(engine, "shop-db", rows=ROWS)
    drills.back_up(source=SOURCE)
    targets = [{"name": "database", "postgres": SOURCE}]
    text = f"{ROWS} orders, networks ['lo']"
    outcome = drills.passed(targets=targets, application=application(expectText=text))
    assert outcome.application is not None
    assert (outcome.application.found, outcome.checks[0]) == ("status 200", outcome.application)
    assert left(engine) == []
    words = drills.could_not("InvalidSpec", targets=targets, application=application(database="other"))
    assert "spec.drill.application.database" in words


@pytest.fixture(scope="module")
def server(engine: Engine) -> Iterator[ThrowAway]:
    """One with the table of orders, whose container has no bash: it asks by busybox."""
    image = POSTGRES_BUSYBOX
    container = DrillContainer(
        f"strongroom-drill-{image.rpartition(':')[2]}", image, "uid", MEMORY_BYTES, 300, is_shared=True
    )
    wanted = Wanted("0", "database", 15, 15, MEMORY_BYTES)
    with running_container(connect_engine(engine.url), container, wanted, []) as server:
        with server.reach.open_entry() as session:
            session.run("CREATE TABLE public.orders ()")
        yield server


def check(engine: Engine, server: ThrowAway, **more: Any) -> CheckResult:
    wanted = application(**{"database": "postgres", "user": "postgres"} | more)
    found = check_application(connect_engine(engine.url), DrillApplication.model_validate(wanted), server)
    assert engine.docker("ps", "--all", "--quiet", "--filter=name=-app$") == ""
    return found


def test_one_that_answers_otherwise_is_not_well(engine: Engine, server: ThrowAway) -> None:
    found = check(engine, server, path="/", timeout="3s")
    assert (found.passed, found.expected, found.found) == (False, "status 200", "status 404")
    found = check(engine, server, expectText="7 orders", timeout="3s")
    assert (found.passed, found.found) == (False, "status 200 without that text")
    found = check(engine, server, port=8001, timeout="1s")
    assert "no answer" in str(found.found)
    ended = check(engine, server, command=["python3", "-c", "raise SystemExit(3)"])
    assert (ended.passed, "it has ended by itself" in str(ended.found)) == (False, True)
    assert check(engine, server).passed


def test_a_command_inside_can_tell_it_too(engine: Engine, server: ThrowAway) -> None:
    sees = ["python3", "-c", "import psycopg2; psycopg2.connect('')"]
    assert check(engine, server, exec=sees, command=["sleep", "600"]).found == "exit code 0"
    failed = check(engine, server, exec=["false"], command=["sleep", "600"], timeout="1s")
    assert (failed.passed, failed.found) == (False, "exit code 1")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"command": ["/no/program"]}, "DrillCouldNotRun: spec.drill.application"),
        ({"image": "missing:1"}, "ImageMissing: image missing:1"),
        ({"user": "stranger"}, 'InvalidSpec: spec.drill.application.user: the backup has no role "stranger"'),
    ],
)
def test_what_cannot_be_started_says_nothing_of_the_backup(
    engine: Engine, server: ThrowAway, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(StrongroomError) as failure:
        check(engine, server, **more)
    assert f"{failure.value.reason.name}: {failure.value.message}".startswith(words)
