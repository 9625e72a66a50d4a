import secrets

import pytest
from tests.integration.embedded import served

from strongroom.kube.connection import connect
from strongroom.kube.kinds import NAMESPACES


@pytest.fixture(scope="session")
def api(tmp_path_factory):
    with served(tmp_path_factory.mktemp("kube") / "state") as api:
        yield api


@pytest.fixture
async def client(api):
    async with connect(api.admin, component="kube-tests") as client:
        yield client


@pytest.fixture
async def namespace(client):
    name = f"kube-{secrets.token_hex(4)}"
    await client.create(NAMESPACES, None, {"metadata": {"name": name}})
    return name
