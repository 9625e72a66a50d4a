"""Kubernetes' own kinds, where they have a mind of their own."""

import pytest
from tests.integration.apiserver.test_objects import MERGE, refused

STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}


def build(kind: str, api_version: str = "v1", **fields) -> dict:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **fields}


def build_job(**spec) -> dict:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    return build("Job", "batch/v1", spec={"template": template, **spec})


@pytest.fixture
def core(namespace):
    return f"/api/v1/namespaces/{namespace}"


@pytest.fixture
def jobs(namespace):
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def test_secrets_fold_plain_data_and_keep_their_type(api, core):
    path = f"{core}/secrets"
    made = api.post(path, json=build("Secret", stringData={"p": "ö"}, data={"q": "Yg=="})).json()
    assert (made["data"], made["type"]) == ({"q": "Yg==", "p": "w7Y="}, "Opaque")
    assert "stringData" not in made
    answer = api.patch(f"{path}/a", json={"type": "other"}, headers=MERGE)
    refused(answer, 422, "Invalid", "field is immutable")
    refused(
        api.patch(f"{path}/a", json={"data": {"x": "***"}}, headers=MERGE),
        400,
        "BadRequest",
        "illegal base64 data",
    )
    refused(
        api.patch(f"{path}/a", json={"stringData": {"a b": "c"}}, headers=MERGE),
        422,
        "Invalid",
        "a valid config key",
    )
    refused(
        api.patch(f"{path}/a", json={"data": {"x": 3}}, headers=MERGE),
        400,
        "BadRequest",
        "cannot be handled as a Secret",
    )
    changed = api.patch(f"{path}/a", json={"stringData": {"p": None, "r": "s"}}, headers=STRATEGIC).json()
    assert changed["data"] == {"q": "Yg==", "p": "w7Y=", "r": "cw=="}
    assert "generation" not in changed["metadata"]
    by_type = api.get(path, params={"fieldSelector": "type=Opaque"}).json()
    assert len(by_type["items"]) == 1


def test_immutable_data_stays(api, core):
    path = f"{core}/configmaps"
    api.post(path, json=build("ConfigMap", data={"a": "b"}, immutable=True))
    answer = api.patch(f"{path}/a", json={"data": {"a": "c"}}, headers=MERGE)
    refused(answer, 422, "Invalid", "field is immutable when `immutable` is set")
    refused(api.patch(f"{path}/a", json={"immutable": False}, headers=MERGE), 422, "Invalid")


def test_built_in_objects_may_be_put_without_a_version(api, core):
    path = f"{core}/configmaps"
    api.post(path, json=build("ConfigMap", data={"a": "b"}))
    assert api.put(f"{path}/a", json=build("ConfigMap", data={"a": "c"})).json()["data"] == {"a": "c"}


def test_jobs_get_defaults_and_keep_what_they_run(api, jobs):
    made = api.post(jobs, json=build_job(managedBy="strongroom.dev/agent")).json()
    spec = made["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (6, 1, 1)
    assert (spec["suspend"], spec["completionMode"], spec["managedBy"]) == (
        False,
        "NonIndexed",
        "strongroom.dev/agent",
    )
    uid = made["metadata"]["uid"]
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert spec["template"]["metadata"]["labels"]["job-name"] == "a"
    assert made["metadata"]["generation"] == 1
    other = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "j"}]}}}}
    refused(api.patch(f"{jobs}/a", json=other, headers=MERGE), 422, "Invalid", "spec.template: Invalid value")
    refused(
        api.patch(f"{jobs}/a", json={"spec": {"managedBy": None}}, headers=MERGE),
        422,
        "Invalid",
        "field is immutable",
    )
    assert (
        api.patch(f"{jobs}/a", json={"spec": {"suspend": True}}, headers=MERGE).json()["metadata"][
            "generation"
        ]
        == 2
    )
    assert api.post(jobs, json=build_job() | {"metadata": {"name": "b"}, "spec": {}}).status_code == 422


def test_a_finished_job_stays_finished(api, jobs):
    api.post(jobs, json=build_job())
    ended = {"status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}}
    assert api.patch(f"{jobs}/a/status", json=ended, headers=MERGE).json()["status"]["succeeded"] == 1
    answer = api.patch(f"{jobs}/a/status", json={"status": {"conditions": []}}, headers=MERGE)
    refused(answer, 422, "Invalid", "cannot disable Complete=True condition")
    table = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    assert api.get(f"{jobs}/a", headers=table).json()["rows"][0]["cells"][:3] == ["a", "Complete", "1/1"]


def test_events_belong_to_the_namespace_of_their_object(api, core, namespace):
    event = build("Event", involvedObject={"kind": "Widget", "name": "w", "namespace": "elsewhere"})
    refused(api.post(f"{core}/events", json=event), 422, "Invalid", "does not match event.namespace")
    event["involvedObject"]["namespace"] = namespace
    event |= {"type": "Debug", "eventTime": "2026-11-22T10:00:00.123456+02:00", "reportingComponent": "kopf"}
    made = api.post(f"{core}/events", json=event).json()
    assert made["eventTime"] == "2026-11-22T08:00:00.123456Z"
    selector = "involvedObject.name=w,involvedObject.kind=Widget,reason!=x,type=Debug"
    assert len(api.get(f"{core}/events", params={"fieldSelector": selector}).json()["items"]) == 1


def test_leases_keep_their_times(api, namespace):
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    spec = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-11-22T10:00:00.5Z"}
    made = api.post(path, json=build("Lease", "coordination.k8s.io/v1", spec=spec)).json()
    assert made["spec"]["renewTime"] == "2026-11-22T10:00:00.500000Z"
    refused(
        api.patch(f"{path}/a", json={"spec": {"leaseDurationSeconds": 0}}, headers=MERGE),
        422,
        "Invalid",
        "must be greater than 0",
    )


def test_namespaces_are_guarded(api, namespace):
    refused(api.delete("/api/v1/namespaces/default"), 403, "Forbidden", "this namespace may not be deleted")
    labels = api.get(f"/api/v1/namespaces/{namespace}").json()["metadata"]["labels"]
    assert labels == {"kubernetes.io/metadata.name": namespace}
    dotted = build("Namespace") | {"metadata": {"name": "a.b"}}
    refused(api.post("/api/v1/namespaces", json=dotted), 422, "Invalid", "a lowercase RFC 1123 label")


def test_kinds_of_a_whole_cluster_are_empty_lists(api):
    assert api.get("/api/v1/pods").json() == api.get("/api/v1/pods").json() | {"kind": "PodList", "items": []}
    assert api.get("/apis/apps/v1/deployments").json()["items"] == []
    refused(api.post("/api/v1/namespaces/default/pods", json={}), 405, "MethodNotAllowed")
