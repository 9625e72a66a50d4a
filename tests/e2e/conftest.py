"""One PostgreSQL with a shop, and one `strongroom up`, shared by the stories."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.stronghold import Stronghold, stronghold
from tests.integration.postgres import Server, running_server

ROWS = 20_000


@dataclass(frozen=True)
class Shop:
    """The database `shop` of a server, and the role that backs it up."""

    server: Server
    password: str
    database: str = "shop"
    user: str = "shop_backup"

    def source(self, **changes: Any) -> dict[str, Any]:
        """A policy's `postgres` for this database."""
        reference = {"name": "shop-db", "key": "password"}
        source = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": self.user,
            "passwordSecret": reference,
        }
        return {**source, "databases": [self.database], **changes}

    def create_database(self, name: str, *, table: bool = False) -> None:
        self.server.create_database(name)
        if table:
            self.server.execute("CREATE TABLE t AS SELECT generate_series(1, 10) AS n", name)

    def row_counts(self) -> dict[str, int]:
        return self.server.row_counts(self.database)

    def content_hashes(self) -> dict[str, str]:
        return self.server.content_hashes(self.database)


@contextmanager
def restored_copy(shop: Shop, dump: Path, scratch: Path) -> Iterator[Shop]:
    """The dump restored by stock zstd and pg_restore into a new database, dropped at the end."""
    name = f"restored_{secrets.token_hex(4)}"
    plain = scratch / f"{name}.dump"
    subprocess.run(["zstd", "-q", "-d", str(dump), "-o", str(plain)], check=True)
    shop.server.create_database(name)
    try:
        command = ["pg_restore", "--exit-on-error", "--dbname", name, str(plain)]
        subprocess.run(command, env=shop.server.environment(name), check=True)
        yield Shop(shop.server, shop.password, name)
    finally:
        shop.server.drop_database(name)


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    with running_server() as server:
        server.load_shop("shop", ROWS)
        password = f"canary'{secrets.token_hex(8)}\\:x"
        server.create_backup_role("shop_backup", password)
        yield Shop(server, password)


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stronghold]:
    with stronghold(tmp_path_factory.mktemp("hold") / "state") as started:
        yield started


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")
