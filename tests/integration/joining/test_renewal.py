"""A host's credential lives as long as its agent does."""

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from tests.integration.embedded import until

from strongroom.agent.credentials import CredentialKeeper
from strongroom.api.hostaccounts import account_name, read_claims
from strongroom.kube.connection import connect
from strongroom.kube.errors import Forbidden
from strongroom.kube.kinds import JOBS
from strongroom.kube.kubeconfigs import Credential, build_kubeconfig, read_credential


@pytest.fixture
def kubeconfig(plane, host, tmp_path):
    """Writes a credential of an hour that is so old, and gives its file."""

    def write(age):
        bearer = plane.mint(host, timedelta(hours=1), age=age)
        credential = Credential(plane.url, plane.running.ca.read_bytes(), account_name(host), bearer)
        path = tmp_path / "kubeconfig"
        path.write_bytes(build_kubeconfig(credential))
        return path

    plane.invite(host)
    return write


@asynccontextmanager
async def kept(path):
    """A client whose credential is kept."""
    async with connect(path) as client:
        keeping = asyncio.create_task(CredentialKeeper(client, path).run())
        try:
            yield client
        finally:
            keeping.cancel()


def life_of(path):
    claims = read_claims(read_credential(path).token)
    return claims.expires_at - claims.issued_at


async def test_a_credential_past_half_of_its_life_is_renewed_and_used(kubeconfig):
    path = kubeconfig(timedelta(minutes=31))
    async with kept(path) as client:

        async def renewed():
            return life_of(path) == timedelta(days=30)

        await until(renewed, "the file holds a new credential")
        token = read_credential(path).token

        async def used():
            return client.configuration.api_key["BearerToken"] == f"Bearer {token}"

        await until(used, "the client uses it")
        await client.list(JOBS, "default")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_young_credential_stays_as_it_is_until_half_of_its_life_is_over(kubeconfig):
    path = kubeconfig(timedelta(minutes=20))
    before = path.read_bytes()
    async with connect(path) as client:
        pause_seconds = await CredentialKeeper(client, path).look()
    assert path.read_bytes() == before
    assert 0 < pause_seconds <= timedelta(minutes=10).total_seconds()


@pytest.mark.parametrize(
    ("age", "why"), [(timedelta(0), "it was revoked"), (timedelta(hours=2), "it ended at 20")]
)
async def test_a_refused_credential_is_said_once_with_the_way_out(plane, host, kubeconfig, caplog, age, why):
    path = kubeconfig(age)
    if not age:
        plane.revoke(host)
    caplog.set_level(logging.ERROR, "strongroom")
    async with kept(path) as client:
        for _ in range(3):
            with pytest.raises(Forbidden):
                await client.list(JOBS, "default")

        async def said():
            return caplog.records

        await until(said, "the refusal is logged")
    (record,) = caplog.records
    assert why in record.message
    assert "strongroom token HOST" in record.message


async def test_a_renewal_that_cannot_be_does_not_end_the_old_credential(plane, host, kubeconfig, caplog):
    path = kubeconfig(timedelta(minutes=31))
    with plane.running.client() as api:
        path_of_role = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
        role = {"rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}]}
        merge = {"content-type": "application/merge-patch+json"}
        api.patch(f"{path_of_role}/{account_name(host)}", json=role, headers=merge)
    before = path.read_bytes()
    async with kept(path) as client:

        async def said():
            return "not renewed yet" in caplog.text

        await until(said, "the failure is logged")
        await client.list(JOBS, "default")
    assert path.read_bytes() == before
