"""What a joined host may do, and what a host that fell into foreign hands may not."""

import pytest
from tests.integration.apiserver.test_objects import refused

from strongroom.agent.joining import join
from strongroom.kube.kubeconfigs import read_credential

OWN = "/apis/strongroom.dev/v1alpha1"
MERGE = {"content-type": "application/merge-patch+json"}


def create(api, path, name):
    host = {"apiVersion": "strongroom.dev/v1alpha1", "kind": "DockerHost", "spec": {}}
    made = api.post(path, json={"metadata": {"name": name}, **(host if path.startswith(OWN) else {})})
    assert made.status_code == 201, made.text


@pytest.fixture
def as_host(plane, host, request_to_join):
    """A client that is the joined host."""
    credential = read_credential(join(request_to_join(plane.invite(host))))
    with plane.running.client() as client:
        client.headers["authorization"] = f"Bearer {credential.token}"
        yield client


@pytest.fixture
def api(plane):
    with plane.running.client() as client:
        yield client


def test_a_host_keeps_its_own_object_and_lease(as_host, host):
    hosts, leases = (
        f"{OWN}/namespaces/default/dockerhosts",
        "/apis/coordination.k8s.io/v1/namespaces/default/leases",
    )
    create(as_host, hosts, host)
    status = {"status": {"agentVersion": "1"}}
    assert as_host.patch(f"{hosts}/{host}/status", json=status, headers=MERGE).status_code == 200
    create(as_host, leases, f"strongroom-host-{host}")
    holder = {"spec": {"holderIdentity": "me"}}
    patched = as_host.patch(f"{leases}/strongroom-host-{host}", json=holder, headers=MERGE)
    assert patched.status_code == 200


def test_a_host_changes_no_other_hosts_object_or_lease(as_host, api, host):
    hosts, leases = (
        f"{OWN}/namespaces/default/dockerhosts",
        "/apis/coordination.k8s.io/v1/namespaces/default/leases",
    )
    create(api, hosts, f"other-{host}")
    create(api, leases, f"strongroom-host-other-{host}")
    for path in (
        f"{hosts}/other-{host}",
        f"{hosts}/other-{host}/status",
        f"{leases}/strongroom-host-other-{host}",
        f"{leases}/strongroom-operator",
    ):
        refused(as_host.patch(path, json={}, headers=MERGE), 403, "Forbidden")
    refused(as_host.delete(f"{hosts}/other-{host}"), 403, "Forbidden")
    refused(as_host.get(hosts), 403, "Forbidden")


def test_a_host_reads_a_secret_it_can_name_and_lists_none(as_host, api, host):
    secrets = "/api/v1/namespaces/default/secrets"
    create(api, secrets, f"password-{host}")
    assert as_host.get(f"{secrets}/password-{host}").status_code == 200
    for path in (
        secrets,
        "/api/v1/secrets",
        f"{secrets}?watch=true",
        "/api/v1/namespaces/kube-system/secrets/x",
    ):
        refused(as_host.get(path), 403, "Forbidden")
    for change in (as_host.delete, as_host.patch, as_host.put):
        refused(change(f"{secrets}/password-{host}"), 403, "Forbidden")


def test_a_host_sees_and_changes_no_policy_run_or_store(as_host):
    for plural in ("backuppolicies", "backupruns", "backupstores", "restorerequests"):
        path = f"{OWN}/namespaces/default/{plural}"
        refused(as_host.get(path), 403, "Forbidden")
        refused(as_host.get(f"{path}/x"), 403, "Forbidden")
        refused(as_host.post(path, json={}), 403, "Forbidden")
        refused(as_host.patch(f"{path}/x", json={}, headers=MERGE), 403, "Forbidden")


def test_a_host_creates_and_deletes_no_jobs(as_host):
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    assert as_host.get(jobs).status_code == 200
    refused(as_host.post(jobs, json={}), 403, "Forbidden")
    refused(as_host.delete(f"{jobs}/x"), 403, "Forbidden")
    refused(as_host.get("/apis/batch/v1/namespaces/kube-system/jobs"), 403, "Forbidden")


def test_a_host_gives_nobody_rights_and_makes_no_tokens_but_its_own(as_host, plane, host):
    plane.invite(f"other-{host}")
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    assert as_host.post(f"{accounts}/strongroom-agent-{host}/token", json=body).status_code == 201
    refused(as_host.post(f"{accounts}/strongroom-agent-other-{host}/token", json=body), 403, "Forbidden")
    refused(as_host.post(accounts, json={}), 403, "Forbidden")
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    refused(as_host.post(f"{rbac}/namespaces/default/rolebindings", json={}), 403, "Forbidden")
    role = f"{rbac}/namespaces/default/roles/strongroom-agent-{host}"
    refused(as_host.patch(role, json={}, headers=MERGE), 403, "Forbidden")


def test_a_host_serves_the_further_namespaces_that_its_token_names(plane, api, host, request_to_join):
    create(api, "/api/v1/namespaces", f"team-{host}")
    token = plane.invite(host, "--serve-namespace", f"team-{host}")
    credential = read_credential(join(request_to_join(token)))
    with plane.running.client() as client:
        client.headers["authorization"] = f"Bearer {credential.token}"
        assert client.get(f"/apis/batch/v1/namespaces/team-{host}/jobs").status_code == 200
        refused(client.get(f"{OWN}/namespaces/team-{host}/dockerhosts/{host}"), 403, "Forbidden")


def test_inviting_again_mends_rights_that_were_changed(plane, api, host):
    plane.invite(host)
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/strongroom-agent-{host}"
    before = api.get(role).json()["rules"]
    assert api.patch(role, json={"rules": []}, headers=MERGE).status_code == 200
    plane.invite(host)
    assert api.get(role).json()["rules"] == before
