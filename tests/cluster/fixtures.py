"""The cluster as a fixture, `pytest --kubeconfig`, and the order of these tests among the others."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.cluster import Cluster, Room, install
from tests.cluster.place import KUBECONFIG, NODE, RUN_VARIABLE, is_built, why_not
from tests.cluster.running import end_cluster, running_cluster

_LONGEST_SECONDS = 1800
"""Of one test with all that it waits for: the build, and its turn where another run has the machine's cluster."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("strongroom", "a real Kubernetes for tests/cluster")
    group.addoption("--kubeconfig", help="its administrator's kubeconfig; default: a node on this machine")
    group.addoption("--worker-image", default="strongroom:dev", help="image that its nodes have or can pull")
    group.addoption(
        "--postgres-image",
        default="strongroom-test/postgres:15",
        help="a PostgreSQL image as the official ones",
    )
    group.addoption("--node-address", help="this machine's address as pods of that cluster see it")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[RUN_VARIABLE] = str(os.getpid())


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        end_cluster(os.getpid())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With time to wait for the cluster; last, while it is still being built beside the other tests."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(_LONGEST_SECONDS))
    if not is_built():
        items.sort(key=lambda item: here in item.path.parents)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A cluster with CRDs, rights and the operator in it. Skips where there is none to be had."""
    option = request.config.getoption
    if told := option("--kubeconfig"):
        kubeconfig, address = Path(told).resolve(), option("--node-address")
    elif reason := why_not():
        pytest.skip(reason)
    else:
        kubeconfig, address = running_cluster(), NODE
    home = tmp_path_factory.mktemp("cluster")
    images = option("--worker-image"), option("--postgres-image")
    found = Cluster(kubeconfig, home, *images, address, is_own=kubeconfig == KUBECONFIG)
    install(found)
    return found


@pytest.fixture(scope="module")
def room(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Room]:
    """A namespace of the file's own."""
    name = request.path.stem.removeprefix("test_").replace("_", "-")
    with cluster.room(name) as room:
        yield room
