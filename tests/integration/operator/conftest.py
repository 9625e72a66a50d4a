import pytest
from tests.integration.embedded import served
from tests.integration.operator.plainagent import PlainAgent
from tests.integration.operator.world import World

from strongroom.kube.connection import connect


@pytest.fixture(scope="session")
def api(tmp_path_factory):
    with served(tmp_path_factory.mktemp("operator") / "api") as api:
        yield api


@pytest.fixture
async def client(api):
    async with connect(api.admin, component="operator-tests") as client:
        yield client


@pytest.fixture
async def world(api, client):
    return await World.create(api, client)


@pytest.fixture
async def agent(world, client):
    async with PlainAgent(client, world.namespace).alive() as agent:
        yield agent
