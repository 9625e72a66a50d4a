"""One S3 server for each process of tests."""

from collections.abc import Iterator

import pytest
from tests.s3.server import S3Server, running_s3


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_bucket(s3_server: S3Server) -> str:
    """One for all who keep to a prefix of their own: to make another takes the server a second."""
    return s3_server.make_bucket()


@pytest.fixture(scope="session")
def versioned_bucket(s3_server: S3Server) -> str:
    """The same, with versions and locks."""
    return s3_server.make_bucket(locks=True)
