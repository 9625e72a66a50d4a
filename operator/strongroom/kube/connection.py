"""Connecting: from a kubeconfig or a pod's service account to a client."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from strongroom import __version__
from strongroom.kube.client import KubeClient
from strongroom.kube.kubeconfigs import Credential, build_document

CONNECTIONS = 32
"""Sockets per client: a watch holds one for its whole life."""
TOKEN_CHECK_SECONDS = 60

log = logging.getLogger(__name__)


class NoCluster(Exception):  # noqa: N818  says what is missing
    """There is nothing to connect to, or the kubeconfig cannot be read."""


@dataclass(frozen=True)
class Login:
    """Where a server is and how to log in, for a client that is not ours; secrets: never to be logged."""

    server: str
    ca_path: str | None
    verify: bool
    token: str | None = field(repr=False)
    certificate_path: str | None
    private_key_path: str | None


async def read_login(client: KubeClient) -> Login:
    """The login that this client uses now: a token that expires is renewed."""
    configuration = client.configuration
    header = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    return Login(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        verify=configuration.verify_ssl,
        # In a pod the library writes `bearer`.
        token=header.partition(" ")[2].strip() if header else None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )


@asynccontextmanager
async def connect(kubeconfig: Path | None, *, component: str = "strongroom") -> AsyncIterator[KubeClient]:
    """A client for the cluster of `kubeconfig`; None means $KUBECONFIG, ~/.kube/config, or the pod's own account.

    Raises NoCluster. Nothing is sent yet: an unreachable server shows at the first call.
    """
    configuration = Configuration(connection_pool_maxsize=CONNECTIONS)
    refresh = await _configure(configuration, kubeconfig)
    api = ApiClient(configuration)
    api.user_agent = f"{component}/{__version__}"
    try:
        yield KubeClient(api, component=component)
    finally:
        if refresh is not None:
            refresh.cancel()
        await api.close()


@asynccontextmanager
async def connect_as(credential: Credential, *, component: str = "strongroom") -> AsyncIterator[KubeClient]:
    """A client for a credential that is in no file. Nothing is sent yet."""
    configuration = Configuration(connection_pool_maxsize=CONNECTIONS)
    await config.load_kube_config_from_dict(build_document(credential), client_configuration=configuration)
    api = ApiClient(configuration)
    api.user_agent = f"{component}/{__version__}"
    try:
        yield KubeClient(api, component=component)
    finally:
        await api.close()


async def _configure(configuration: Configuration, kubeconfig: Path | None) -> asyncio.Task[None] | None:
    found = _kubeconfig_path(kubeconfig)
    try:
        if found is None:
            config.load_incluster_config(client_configuration=configuration)
            return None
        loader = await config.load_kube_config(
            config_file=found, client_configuration=configuration, persist_config=False
        )
    except (config.ConfigException, OSError, ValueError) as error:
        if found is None:
            raise NoCluster(f"there is no kubeconfig, and no service account of a pod ({error})") from error
        raise NoCluster(f"cannot use {found}: {error}") from error
    return asyncio.create_task(_keep_token_fresh(loader, configuration))


def _kubeconfig_path(kubeconfig: Path | None) -> str | None:
    if kubeconfig is not None:
        if not kubeconfig.is_file():
            raise NoCluster(f"{kubeconfig} does not exist")
        return str(kubeconfig)
    # Read now, not when the client library was imported: tests and `up` set it later.
    told = os.environ.get("KUBECONFIG")
    named = told or str(Path.home() / ".kube" / "config")
    if any(Path(part).is_file() for part in named.split(os.pathsep)):
        return named
    if told:
        raise NoCluster(f"$KUBECONFIG names {told}, which does not exist")
    return None


async def _keep_token_fresh(loader: object, configuration: Configuration) -> None:
    """Renew a token that a plugin hands out; with any other kind of login this returns at once."""
    while True:
        try:
            await config.refresh_token(loader, configuration, interval=TOKEN_CHECK_SECONDS)
        except (config.ConfigException, OSError, ValueError) as error:
            log.warning("the kubeconfig's login plugin failed, trying again: %s", error)
            await asyncio.sleep(TOKEN_CHECK_SECONDS)
        else:
            return
