"""Databases restored inside their containers, with services stopped around the exchange and the way back when they are not well."""

import os
import secrets
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
            "confirmed": DATABASE,
            **restore,
        },
    }


def back_up(workshop: Workshop, database: DatabaseContainer) -> Finished:
    return workshop.succeed(workshop.order(source={"container": {"name": database.name}}))


@pytest.mark.parametrize("image", [POSTGRES, POSTGRES_BUSYBOX])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_database_is_restored_inside_its_container_laid_down_or_streamed(
    engine: Engine, workshop: Workshop, image: str, jobs: int
) -> None:
    name = f"back-{image.rpartition(':')[2]}-{jobs}"
    database = start_database(engine, name, image=image, rows=ROWS)
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
