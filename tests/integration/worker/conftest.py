"""One server with a shop for all tests of the worker; a store of its own for each."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.postgres import Server, running_server
from tests.integration.worker.workshop import Workshop

ROWS = 5_000
USER = "backup role"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as started:
        started.load_shop("shop", ROWS)
        yield started


@pytest.fixture(scope="session")
def canary(server: Server) -> str:
    """The password of the backup role, with all that is hard about passwords."""
    password = f"canary:\\'{secrets.token_hex(12)} %"
    server.create_backup_role(USER, password)
    return password


@pytest.fixture
def workshop(tmp_path: Path, server: Server, canary: str) -> Workshop:
    return Workshop(tmp_path, server, canary, USER)
