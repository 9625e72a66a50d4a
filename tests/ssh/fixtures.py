"""One SSH server for each process of tests."""

from collections.abc import Iterator

import pytest
from tests.ssh.server import SshServer, running_ssh


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with running_ssh(tmp_path_factory.mktemp("ssh")) as server:
        yield server
