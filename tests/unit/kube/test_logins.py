"""What another client is told to log in with, and what it sees when that login is replaced under a request."""

import aiohttp
import pytest
from kubernetes.aio.client import ApiClient, Configuration

from strongroom.kube.client import KubeClient
from strongroom.kube.connection import Login, read_login
from strongroom.kube.sessions import build_session


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "bearer abc\n"])
async def test_the_token_is_read_whatever_the_library_writes_before_it(header):
    configuration = Configuration(host="https://127.0.0.1:1")
    configuration.api_key["BearerToken"] = header
    api = ApiClient(configuration)
    assert (await read_login(KubeClient(api, component="test"))).token == "abc"
    await api.close()


async def test_a_request_that_waits_while_its_session_is_closed_is_told_so():
    login = Login(
        "http://127.0.0.1:1", None, verify=True, token=None, certificate_path=None, private_key_path=None
    )
    heard = []

    def hear(permission, error):
        heard.append(error)
        session._connector = None  # as closing leaves it

    session = build_session(login, "test", hear)
    connector = session.connector
    with pytest.raises(RuntimeError, match="Session is closed"):
        await session.get(
            "http://127.0.0.1:1/apis/strongroom.dev/v1alpha1/backupruns", timeout=aiohttp.ClientTimeout(10)
        )
    assert heard
    await connector.close()
