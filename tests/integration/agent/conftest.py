import pytest
from tests.integration.agent.hosts import Host
from tests.integration.embedded import served

from strongroom.kube.connection import connect


@pytest.fixture(scope="session")
def api(tmp_path_factory):
    with served(tmp_path_factory.mktemp("agent") / "api") as api:
        yield api


@pytest.fixture
async def client(api):
    async with connect(api.admin) as client:
        yield client


@pytest.fixture(scope="session")
def _shared(api, tmp_path_factory):
    yield from _cleaned(Host(api, tmp_path_factory.mktemp("shared")))


@pytest.fixture
async def host(_shared, client):
    """A host whose agent runs since the first test and goes on after the last."""
    _shared.client = client
    if not _shared.is_running:
        await _shared.create()
        _shared.start(max_jobs=4)
    return _shared


@pytest.fixture
def _own(api, tmp_path):
    yield from _cleaned(Host(api, tmp_path))


@pytest.fixture
async def own_host(_own, client):
    """A host of the test alone, whose agent is not yet started."""
    _own.client = client
    await _own.create()
    return _own


def _cleaned(host):
    yield host
    host.clean_up()
    if host.log.exists():
        print(host.log.read_text())
