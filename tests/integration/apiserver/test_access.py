"""Who gets in, and how far."""

import ssl
import stat

import httpx
import pytest
import yaml
from cryptography import x509
from tests.integration.apiserver.serving import ServerThread
from tests.integration.apiserver.test_objects import refused
from tests.integration.apiserver.widgets import build_widget_crd

from strongroom.apiserver.settings import Settings


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic YTpi"])
def test_without_a_good_token_nothing_is_told(server, header):
    with server.client() as client:
        client.headers["authorization"] = header
        for path in ("/api", "/version", "/api/v1/secrets", "/nope"):
            refused(client.get(path), 401, "Unauthorized", "Unauthorized")


def test_plain_http_gets_no_answer(server):
    with pytest.raises(httpx.TransportError):
        httpx.get(server.endpoint.url.replace("https", "http") + "/version")


def test_the_certificate_is_good_for_loopback_only_with_the_own_authority(server):
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.endpoint.url + "/healthz")
    context = ssl.create_default_context(cafile=server.ca)
    assert httpx.get(f"https://localhost:{server.endpoint.port}/healthz", verify=context).text == "ok"


def test_an_agent_reads_single_secrets_and_writes_no_jobs(server, api, namespace):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "Yg=="}}
    path = f"/api/v1/namespaces/{namespace}/secrets"
    assert api.post(path, json=secret).status_code == 201
    with server.client("agent") as agent:
        assert agent.get(f"{path}/s").json()["data"] == {"a": "Yg=="}
        status = refused(agent.get(path), 403, "Forbidden")
        assert status["message"] == (
            'secrets is forbidden: User "strongroom:agent" cannot list resource "secrets" in API group "" '
            f'in the namespace "{namespace}"'
        )
        refused(agent.delete(f"{path}/s"), 403, "Forbidden", "cannot delete resource")
        refused(agent.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", json={}), 403, "Forbidden")
        assert agent.get(f"/apis/batch/v1/namespaces/{namespace}/jobs").status_code == 200
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        review["spec"] = {
            "resourceAttributes": {"verb": "list", "resource": "secrets", "namespace": namespace}
        }
        answer = agent.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=review)
        assert answer.json()["status"]["allowed"] is False


def test_an_operator_makes_jobs_and_lists_no_secrets(server, namespace):
    with server.client("operator") as operator:
        refused(operator.get(f"/api/v1/namespaces/{namespace}/secrets"), 403, "Forbidden")
        refused(operator.post("/api/v1/namespaces", json={}), 403, "Forbidden")
        assert operator.get("/apis/demo.dev/v1/widgets").status_code == 403
        assert operator.get("/apis/batch/v1/jobs").status_code == 200


def test_tokens_are_reviewed(server, api):
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": server.token("agent")},
    }
    status = api.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review).json()["status"]
    assert status["authenticated"]
    assert status["user"]["username"] == "strongroom:agent"
    review["spec"] = {"token": "wrong"}
    assert (
        "authenticated"
        not in api.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review).json()["status"]
    )


def test_nothing_in_the_state_folder_is_readable_by_others(server):
    assert stat.S_IMODE(server.state_dir.stat().st_mode) == 0o700
    files = [path for path in server.state_dir.rglob("*") if path.is_file() and path.name != "port"]
    assert len(files) > 8
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_tokens_are_kept_as_hashes_only(server):
    kept = (server.state_dir / "tokens.json").read_text()
    assert server.token() not in kept
    assert '"admin"' in kept


def test_a_second_start_keeps_port_authority_and_tokens(tmp_path):
    settings = Settings(tmp_path / "state", crds=[build_widget_crd()])
    with ServerThread(settings) as first:
        before = (first.endpoint, first.token(), first.ca.read_bytes())
        with first.client() as client:
            uid = client.get("/api/v1/namespaces/default").json()["metadata"]["uid"]
    with ServerThread(settings) as second:
        assert (second.endpoint, second.token(), second.ca.read_bytes()) == before
        with second.client() as client:
            assert client.get("/api/v1/namespaces/default").json()["metadata"]["uid"] == uid


def test_a_lost_kubeconfig_is_replaced_and_its_token_revoked(tmp_path):
    settings = Settings(tmp_path / "state")
    with ServerThread(settings) as first:
        old = first.token()
    (tmp_path / "state" / "admin.kubeconfig").unlink()
    with ServerThread(settings) as second:
        assert second.token() != old
        with second.client() as client:
            client.headers["authorization"] = f"Bearer {old}"
            assert client.get("/api").status_code == 401


def test_a_leaf_certificate_near_its_end_is_renewed(tmp_path):
    from datetime import UTC, datetime, timedelta

    from strongroom.apiserver.auth.authority import ensure_certificates

    now = datetime.now(UTC)
    first = ensure_certificates(tmp_path / "pki", ["127.0.0.1"], now)
    ca, leaf = first.ca.read_bytes(), first.certificate.read_bytes()
    assert ensure_certificates(tmp_path / "pki", ["127.0.0.1"], now).certificate.read_bytes() == leaf
    later = ensure_certificates(tmp_path / "pki", ["127.0.0.1"], now + timedelta(days=340))
    assert later.ca.read_bytes() == ca
    assert later.certificate.read_bytes() != leaf
    names = ensure_certificates(tmp_path / "pki", ["127.0.0.1", "vault.example"], now + timedelta(days=340))
    renewed = x509.load_pem_x509_certificate(names.certificate.read_bytes())
    alternatives = renewed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["vault.example"]


def test_a_kubeconfig_holds_all_a_client_needs(server):
    config = yaml.safe_load(server.endpoint.kubeconfigs.agent.read_text())
    assert config["clusters"][0]["cluster"]["server"] == server.endpoint.url
    assert config["contexts"][0]["context"]["user"] == "strongroom:agent"
