"""Discovery and documents: what clients ask before they ask for anything."""

import re

import pytest

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,application/json"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_legacy_documents(api, slash):
    assert api.get(f"/api{slash}").json()["versions"] == ["v1"]
    groups = api.get(f"/apis{slash}").json()["groups"]
    (demo,) = [group for group in groups if group["name"] == "demo.dev"]
    assert demo["preferredVersion"] == {"groupVersion": "demo.dev/v1", "version": "v1"}
    assert api.get(f"/apis/demo.dev{slash}").json()["kind"] == "APIGroup"
    resources = {entry["name"]: entry for entry in api.get(f"/apis/demo.dev/v1{slash}").json()["resources"]}
    assert resources["widgets"]["shortNames"] == ["wd"]
    assert resources["widgets"]["categories"] == ["demo"]
    assert set(resources["widgets"]["verbs"]) >= {"list", "watch", "patch"}
    assert resources["widgets/status"]["kind"] == "Widget"
    assert {entry["name"] for entry in api.get(f"/api/v1{slash}").json()["resources"]} >= {
        "secrets",
        "events",
        "namespaces",
    }
    assert re.match(r"v1\.3\d\.\d\+strongroom", api.get(f"/version{slash}").json()["gitVersion"])


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
def test_aggregated_discovery(api, version):
    answer = api.get("/apis", headers={"accept": AGGREGATED.format(version=version)})
    assert f"v={version};as=APIGroupDiscoveryList" in answer.headers["content-type"]
    assert answer.headers["vary"] == "Accept"
    assert answer.json()["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    (demo,) = [item for item in answer.json()["items"] if item["metadata"]["name"] == "demo.dev"]
    (entry,) = demo["versions"][0]["resources"]
    assert entry["responseKind"] == {"group": "demo.dev", "version": "v1", "kind": "Widget"}
    assert entry["subresources"][0]["subresource"] == "status"
    core = api.get("/api", headers={"accept": AGGREGATED.format(version=version)}).json()
    assert core["items"][0]["versions"][0]["version"] == "v1"


def test_openapi_documents_can_be_cached_by_their_address(api):
    paths = api.get("/openapi/v3").json()["paths"]
    document = api.get(paths["apis/demo.dev/v1"]["serverRelativeURL"]).json()
    item = document["paths"]["/apis/demo.dev/v1/namespaces/{namespace}/widgets/{name}"]
    kind = {"group": "demo.dev", "version": "v1", "kind": "Widget"}
    assert item["patch"]["x-kubernetes-group-version-kind"] == kind
    assert {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in item["patch"]["parameters"]}
    schema = document["components"]["schemas"]["dev.demo.v1.Widget"]
    assert schema["x-kubernetes-group-version-kind"] == [kind]
    assert schema["properties"]["spec"]["properties"]["size"]["description"] == "How big the widget is."


def test_every_reference_in_every_document_leads_somewhere(api):
    for entry in api.get("/openapi/v3").json()["paths"].values():
        text = api.get(entry["serverRelativeURL"]).text
        schemas = api.get(entry["serverRelativeURL"]).json()["components"]["schemas"]
        assert {found.rpartition("/")[2] for found in re.findall(r'"\$ref":"([^"]+)"', text)} <= set(schemas)


def test_health_needs_no_token(server):
    with server.client() as client:
        del client.headers["authorization"]
        for path in ("/healthz", "/livez", "/readyz", "/readyz/"):
            assert client.get(path).text == "ok"


def test_unknown_paths(api):
    for path in (
        "/nope",
        "/apis/nope.dev/v1",
        "/apis/nope.dev/v1/x",
        "/openapi/v3/apis/nope.dev/v1",
        "/apis/a/b/c/d/e/f/g/h",
    ):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["kind"]) == (404, "Status")
    assert "/api" in api.get("/").json()["paths"]
