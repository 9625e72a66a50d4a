import pytest
from tests.integration.embedded import served
from tests.integration.operator.faultyapi import FaultyApi
from tests.integration.operator.plainagent import PlainAgent
from tests.integration.operator.probing import Probe
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
async def faulty(api, tmp_path):
    """A proxy to the API that the test can let fail."""
    async with FaultyApi(api.state / "operator.kubeconfig").serving(tmp_path) as faulty:
        yield faulty


@pytest.fixture
def probe(tmp_path):
    return Probe(tmp_path / "port")


@pytest.fixture
def through(faulty, probe):
    """Settings of an operator behind the proxy, with a Lease that outlives the proxy's faults."""
    return {"kubeconfig": faulty.kubeconfig, "metrics_port_file": probe.port_file, "lease_seconds": 60}


@pytest.fixture
async def agent(world, client):
    async with PlainAgent(client, world.namespace).alive() as agent:
        yield agent
