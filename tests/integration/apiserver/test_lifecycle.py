"""What happens by itself: garbage, emptying, expiry, definitions that come and go."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.apiserver.conftest import eventually
from tests.integration.apiserver.test_objects import MERGE, make, refused
from tests.integration.apiserver.widgets import build_crd, build_widget


def owned(owner: dict, name: str = "c", **more) -> dict:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        **more,
    }
    reference["uid"] = owner["metadata"]["uid"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "ownerReferences": [reference]},
    }


@pytest.fixture
def maps(namespace):
    return f"/api/v1/namespaces/{namespace}/configmaps"


def is_gone(api, path):
    return lambda: api.get(path).status_code == 404


def test_what_is_owned_goes_with_its_last_owner(api, widgets, maps):
    one, two = make(api, widgets, "one"), make(api, widgets, "two")
    body = owned(one)
    body["metadata"]["ownerReferences"] += owned(two)["metadata"]["ownerReferences"]
    api.post(maps, json=body)
    api.delete(f"{widgets}/one")
    left = eventually(
        lambda: [o for o in api.get(f"{maps}/c").json()["metadata"]["ownerReferences"] if o["name"] == "two"]
    )
    assert len(left) == 1
    api.delete(f"{widgets}/two")
    eventually(is_gone(api, f"{maps}/c"))


def test_an_owner_of_the_same_name_but_another_life_is_no_owner(api, widgets, maps):
    make(api, widgets)
    stranger = build_widget() | {"metadata": {"name": "a", "uid": "11111111-1111-1111-1111-111111111111"}}
    api.post(maps, json=owned(stranger))
    eventually(is_gone(api, f"{maps}/c"))


def test_owners_of_unknown_kinds_are_not_judged(api, widgets, maps):
    unknown = {"apiVersion": "nope.dev/v1", "kind": "Nope", "metadata": {"name": "n", "uid": "x"}}
    api.post(maps, json=owned(unknown, "kept"))
    api.post(maps, json=owned(build_widget() | {"metadata": {"name": "a", "uid": "x"}}, "swept"))
    eventually(is_gone(api, f"{maps}/swept"))
    assert api.get(f"{maps}/kept").status_code == 200


def test_foreground_deletion_waits_for_dependents(api, widgets, maps):
    owner = make(api, widgets)
    child = owned(owner, blockOwnerDeletion=True)
    child["metadata"]["finalizers"] = ["demo.dev/hold"]
    api.post(maps, json=child)
    going = api.request("DELETE", f"{widgets}/a", json={"propagationPolicy": "Foreground"}).json()
    assert going["metadata"]["finalizers"] == ["foregroundDeletion"]
    eventually(lambda: "deletionTimestamp" in api.get(f"{maps}/c").json()["metadata"])
    assert api.get(f"{widgets}/a").status_code == 200
    api.patch(f"{maps}/c", json={"metadata": {"finalizers": None}}, headers=MERGE)
    eventually(is_gone(api, f"{widgets}/a"))


def test_orphans_lose_their_reference_only(api, widgets, maps):
    api.post(maps, json=owned(make(api, widgets)))
    api.request("DELETE", f"{widgets}/a", json={"propagationPolicy": "Orphan"})
    eventually(is_gone(api, f"{widgets}/a"))
    assert "ownerReferences" not in api.get(f"{maps}/c").json()["metadata"]


def test_a_namespace_is_emptied_before_it_goes(api, namespace, widgets):
    held = build_widget() | {"metadata": {"name": "a", "finalizers": ["demo.dev/hold"]}}
    api.post(widgets, json=held)
    make(api, widgets, "b")
    answer = api.delete(f"/api/v1/namespaces/{namespace}").json()
    assert answer["status"]["phase"] == "Terminating"
    status = refused(
        api.post(widgets, json=build_widget("new")), 403, "Forbidden", "because it is being terminated"
    )
    assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    eventually(is_gone(api, f"{widgets}/b"))
    conditions = eventually(
        lambda: api.get(f"/api/v1/namespaces/{namespace}").json()["status"].get("conditions")
    )
    assert "demo.dev/hold in 1 resource instances" in conditions[1]["message"]
    api.patch(f"{widgets}/a", json={"metadata": {"finalizers": None}}, headers=MERGE)
    eventually(is_gone(api, f"/api/v1/namespaces/{namespace}"))


def test_finished_jobs_and_old_events_go(api, namespace):
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    spec = {"template": template, "ttlSecondsAfterFinished": 1}
    api.post(jobs, json={"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec})
    then = (datetime.now(UTC) - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Complete", "status": "True", "lastTransitionTime": then}
    api.patch(f"{jobs}/j/status", json={"status": {"conditions": [condition]}}, headers=MERGE)
    eventually(is_gone(api, f"{jobs}/j"), seconds=60)


def test_a_new_definition_is_served_at_once_and_takes_its_objects_with_it(api, namespace):
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"x": {"type": "integer"}}}},
    }
    definition = build_crd("Gadget", "gadgets", schema)
    made = api.post(crds, json=definition)
    assert made.status_code == 201, made.text
    assert {c["type"]: c["status"] for c in made.json()["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    path = f"/apis/demo.dev/v1/namespaces/{namespace}/gadgets"
    gadget = {"apiVersion": "demo.dev/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"x": 1}}
    assert api.post(path, json=gadget).status_code == 201
    assert "gadgets" in {entry["name"] for entry in api.get("/apis/demo.dev/v1").json()["resources"]}
    api.delete(f"{crds}/gadgets.demo.dev")
    eventually(is_gone(api, f"{crds}/gadgets.demo.dev"))
    assert api.get(path).status_code == 404
    assert api.post(crds, json=definition).status_code == 201
    assert api.get(path).json()["items"] == []
    api.delete(f"{crds}/gadgets.demo.dev")
    eventually(is_gone(api, f"{crds}/gadgets.demo.dev"))


def test_definitions_that_cannot_be_served_are_refused(api):
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definition = build_crd("Broken", "brokens", {"type": "object", "properties": {"spec": {"$ref": "#/x"}}})
    refused(api.post(crds, json=definition), 422, "Invalid", "not structural")
    refused(api.delete(f"{crds}/widgets.demo.dev"), 403, "Forbidden", "it belongs to this server")
