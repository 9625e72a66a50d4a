"""Drills in throw-away containers of the image that is backed up: no network, nothing of the host, and nothing left."""

import os
import time
from pathlib import Path

import pytest
from tests.docker.databases import USER, start_database
from tests.docker.engine import Engine
from tests.integration.worker.drills import Drills
from tests.integration.worker.workshop import Workshop

ROWS = 500
LABEL = "strongroom.dev/drill"


@pytest.fixture
def drills(tmp_path: Path, engine: Engine) -> Drills:
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine.url}
    return Drills(Workshop(tmp_path, None, "unused", USER, environment=environment))  # type: ignore[arg-type]


def left(engine: Engine) -> list[str]:
    return [
        *engine.docker("ps", "--all", "--quiet", f"--filter=label={LABEL}").split(),
        *engine.docker("volume", "ls", "--quiet", "--filter=dangling=true").split(),
    ]


def test_a_backup_is_restored_in_a_container_of_its_own_image_that_leaves_nothing(
    engine: Engine, drills: Drills
) -> None:
    start_database(engine, "shop-db", rows=ROWS)
    source = {"container": {"name": "shop-db"}}
    drills.back_up(source=source)
    targets = [{"name": "database", "postgres": source}]
    checks = [
        {"name": "orders", "query": "SELECT count(*) FROM orders", "expect": str(ROWS)},
        {"name": "files", "query": "SELECT pg_read_file('/etc/hostname')", "expect": "x"},
    ]
    outcome = drills.alarm("ComparisonFailed", targets=targets, checks=checks)
    (failed,) = [check for check in outcome.checks if not check.passed]
    assert "permission denied" in str(failed.found)
    assert drills.passed(targets=targets, checks=checks[:1]).compared_count > 2
    assert left(engine) == []
    process = drills.workshop.start(drills.order(targets=targets))
    while not (running := engine.docker("ps", "--quiet", f"--filter=label={LABEL}").split()):
        time.sleep(0.05)
    (container,) = running
    told = engine.docker(
        "inspect", "--format", "{{.HostConfig.NetworkMode}} {{.HostConfig.Binds}}", container
    )
    assert told.split() == ["none", "[]"]
    process.kill()
    process.communicate()
    assert drills.passed(targets=targets, checks=checks[:1])
    assert left(engine) == []
