"""Objects over plain HTTP: what Kubernetes answers, word for word where clients read the words."""

import json
import re

import httpx
import pytest
from tests.integration.apiserver.widgets import build_widget

MERGE = {"content-type": "application/merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}
GONE = {"code": 404, "reason": "NotFound"}


def make(api: httpx.Client, path: str, name: str = "a", **spec) -> dict:
    answer = api.post(path, json=build_widget(name, **spec))
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer: httpx.Response, code: int, reason: str, text: str = "") -> dict:
    """The Status of a refusal, checked for its form."""
    status = answer.json()
    assert (answer.status_code, status["code"], status["reason"]) == (code, code, reason), answer.text
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert text in status["message"]
    return status


def test_a_new_object_gets_its_identity_from_the_server(api, widgets):
    made = make(api, widgets, size=2)
    metadata = made["metadata"]
    assert re.fullmatch(r"[0-9a-f-]{36}", metadata["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    assert metadata["generation"] == 1
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["namespace"] == widgets.split("/")[5]
    assert made["spec"] == {"size": 2, "color": "red"}
    assert api.get(f"{widgets}/a").json() == made


def test_creating_twice_and_reading_nothing(api, widgets):
    make(api, widgets)
    status = refused(
        api.post(widgets, json=build_widget()), 409, "AlreadyExists", 'widgets.demo.dev "a" already exists'
    )
    assert status["details"] == {"name": "a", "group": "demo.dev", "kind": "widgets"}
    refused(api.get(f"{widgets}/b"), 404, "NotFound", 'widgets.demo.dev "b" not found')
    refused(api.get("/apis/demo.dev/v1/gadgets"), 404, "NotFound", "could not find the requested resource")
    refused(
        api.post("/apis/demo.dev/v1/namespaces/nope/widgets", json=build_widget()),
        404,
        "NotFound",
        'namespaces "nope" not found',
    )


def test_generated_names(api, widgets):
    body = build_widget() | {"metadata": {"generateName": "run-"}}
    names = {api.post(widgets, json=body).json()["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(re.fullmatch(r"run-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)
    nameless = build_widget() | {"metadata": {}}
    refused(
        api.post(widgets, json=nameless),
        422,
        "Invalid",
        "metadata.name: Required value: name or generateName is required",
    )


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"kind": "Gadget"}, 400, ""),
        ({"kind": ""}, 400, "Object 'Kind' is missing"),
        ({"apiVersion": "demo.dev/v2"}, 400, "does not match the expected API version (demo.dev/v1)"),
        ({"metadata": {"name": "a", "namespace": "other"}}, 400, "does not match the namespace"),
        ({"metadata": {"name": "A_b"}}, 422, "a lowercase RFC 1123 subdomain must consist of"),
        ({"metadata": {"name": "a", "labels": {"x": 1}}}, 400, "labels"),
        ({"metadata": {"name": "a", "labels": {"x": "a b"}}}, 422, "a valid label must be"),
        ({"metadata": {"name": "a", "resourceVersion": "1"}}, 400, "resourceVersion should not be set"),
        ({"metadata": "a"}, 400, ""),
        ({"spec": {"size": "big"}}, 422, "spec.size"),
        ({"spec": {"tags": ["a", "b", "a"]}}, 422, 'spec.tags[2]: Duplicate value: "a"'),
    ],
)
def test_what_cannot_be_created(api, widgets, change, code, text):
    answer = api.post(widgets, json=build_widget() | change)
    refused(answer, code, {400: "BadRequest", 422: "Invalid"}[code], text)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"a":' * 5000])
def test_bodies_that_are_no_objects(api, widgets, body):
    refused(api.post(widgets, content=body, headers={"content-type": "application/json"}), 400, "BadRequest")


def test_too_large_bodies_and_foreign_types(api, widgets):
    large = build_widget(color="x" * (4 * 1024 * 1024))
    refused(api.post(widgets, json=large), 413, "RequestEntityTooLarge")
    answer = api.post(widgets, content="<a/>", headers={"content-type": "text/xml"})
    refused(answer, 415, "UnsupportedMediaType", "accepted media types include")


def test_yaml_bodies_and_bodies_without_a_type(api, widgets):
    text = "apiVersion: demo.dev/v1\nkind: Widget\nmetadata: {name: a, annotations: {day: '2026-11-22'}}\nspec: {size: 3}\n"
    assert api.post(widgets, content=text, headers={"content-type": "application/yaml"}).status_code == 201
    answer = api.post(widgets, content=json.dumps(build_widget("b")).encode())
    assert answer.status_code == 201
    assert "kind: Widget" in api.get(f"{widgets}/a", headers={"accept": "application/yaml"}).text


def test_several_faults_are_told_at_once(api, widgets):
    status = refused(api.post(widgets, json=build_widget(size=0, color="pink")), 422, "Invalid")
    assert status["message"].startswith('Widget.demo.dev "a" is invalid: [')
    assert {cause["field"] for cause in status["details"]["causes"]} == {"spec.size", "spec.color"}
    assert status["details"]["kind"] == "Widget"


def test_unknown_and_duplicate_fields_by_field_validation(api, widgets):
    body = build_widget(size=3, zork=1)
    answer = api.post(widgets, json=body, params={"fieldValidation": "Strict"})
    refused(answer, 400, "BadRequest", 'strict decoding error: unknown field "spec.zork"')
    answer = api.post(widgets, json=body)
    assert answer.headers["warning"] == '299 - "unknown field \\"spec.zork\\""'
    assert "zork" not in answer.json()["spec"]
    doubled = json.dumps(build_widget("b")).replace('"size": 3', '"size": 3, "size": 4').encode()
    answer = api.post(widgets, content=doubled, params={"fieldValidation": "Strict"})
    refused(answer, 400, "BadRequest", 'duplicate field "spec.size"')
    answer = api.post(widgets, content=doubled, params={"fieldValidation": "Ignore"})
    assert "warning" not in answer.headers
    assert answer.json()["spec"]["size"] == 4
    refused(
        api.post(widgets, json=body, params={"fieldValidation": "Perhaps"}), 422, "Invalid", "fieldValidation"
    )


def test_optimistic_concurrency(api, widgets):
    made = make(api, widgets)
    newer = made | {"spec": {"size": 4}}
    assert api.put(f"{widgets}/a", json=newer).json()["metadata"]["generation"] == 2
    modified = "the object has been modified; please apply your changes to the latest version and try again"
    refused(api.put(f"{widgets}/a", json=newer), 409, "Conflict", modified)
    blind = build_widget(size=5)
    refused(
        api.put(f"{widgets}/a", json=blind),
        422,
        "Invalid",
        "metadata.resourceVersion: Invalid value: 0x0: must be specified",
    )
    refused(api.put(f"{widgets}/b", json=blind | {"metadata": {"name": "b"}}), 404, "NotFound")
    refused(
        api.put(f"{widgets}/b", json=newer), 400, "BadRequest", "(a) does not match the name on the URL (b)"
    )


def test_a_write_without_a_change_is_none(api, widgets):
    made = make(api, widgets)
    assert api.put(f"{widgets}/a", json=made).json() == made
    assert api.patch(f"{widgets}/a", json={"spec": {"size": 3}}, headers=MERGE).json() == made


def test_identity_cannot_be_changed(api, widgets):
    made = make(api, widgets)
    other = made | {"metadata": made["metadata"] | {"uid": "00000000-0000-0000-0000-000000000000"}}
    refused(api.put(f"{widgets}/a", json=other), 409, "Conflict", "UID in precondition")
    kept = api.patch(
        f"{widgets}/a",
        json={"metadata": {"creationTimestamp": None, "generation": 77}, "spec": {"size": 4}},
        headers=MERGE,
    ).json()
    assert kept["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
    assert kept["metadata"]["generation"] == 2
    answer = api.patch(f"{widgets}/a", json={"metadata": {"uid": "other"}}, headers=MERGE)
    refused(answer, 422, "Invalid", 'metadata.uid: Invalid value: "other": field is immutable')


def test_status_and_spec_are_written_apart(api, widgets):
    made = make(api, widgets)
    both = {"spec": {"size": 9}, "status": {"phase": "Done"}, "metadata": {"labels": {"x": "y"}}}
    changed = api.patch(f"{widgets}/a/status", json=both, headers=MERGE).json()
    assert changed["spec"]["size"] == 3
    assert changed["status"] == {"phase": "Done"}
    assert "labels" not in changed["metadata"]
    assert changed["metadata"]["generation"] == 1
    changed = api.patch(f"{widgets}/a", json=both | {"status": {"phase": "Other"}}, headers=MERGE).json()
    assert (changed["spec"]["size"], changed["status"]["phase"]) == (9, "Done")
    assert changed["metadata"]["generation"] == 2
    assert made["metadata"]["resourceVersion"] != changed["metadata"]["resourceVersion"]
    assert api.get(f"{widgets}/a/status").json() == changed
    refused(api.get(f"{widgets}/a/scale"), 404, "NotFound")


def test_rules_in_cel_see_old_and_new(api, widgets):
    make(api, widgets, fixed="x")
    answer = api.patch(f"{widgets}/a", json={"spec": {"fixed": "y"}}, headers=MERGE)
    refused(answer, 422, "Invalid", 'spec.fixed: Invalid value: "y": fixed is immutable')


def test_json_patches_as_kopf_sends_them(api, widgets):
    made = make(api, widgets)
    version = made["metadata"]["resourceVersion"]
    patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/metadata/finalizers", "value": ["kopf.dev/x"]},
    ]
    assert api.patch(f"{widgets}/a", json=patch, headers=JSON_PATCH).status_code == 200
    answer = api.patch(f"{widgets}/a", json=patch, headers=JSON_PATCH)
    refused(answer, 422, "Invalid", "the server rejected our request due to an error in our request")


@pytest.mark.parametrize(
    ("patch", "headers", "code"),
    [
        ({"op": "add"}, JSON_PATCH, 400),
        ([{"op": "fly", "path": "/spec"}], JSON_PATCH, 422),
        ([{"op": "remove", "path": "/spec/nothing"}], JSON_PATCH, 422),
        ([{"op": "replace", "path": "", "value": 3}], JSON_PATCH, 422),
        ([{"op": "add", "path": "/spec/size", "value": 1}] * 10_001, JSON_PATCH, 413),
        ([], MERGE, 400),
        (3, MERGE, 400),
        ({"spec": None}, MERGE, 422),
        ({"spec": {"size": 4}}, {"content-type": "application/json"}, 415),
        ({"spec": {"size": 4}}, {"content-type": "application/strategic-merge-patch+json"}, 415),
        ({"metadata": {"resourceVersion": "1"}}, MERGE, 409),
        ({"metadata": {"name": "b"}}, MERGE, 400),
        ({"metadata": {"namespace": "b"}}, MERGE, 400),
        ({"kind": "Gadget"}, MERGE, 400),
        ({"metadata": None}, MERGE, 400),
        ({"metadata": {"managedFields": "x"}}, MERGE, 400),
    ],
)
def test_patches_that_are_refused(api, widgets, patch, headers, code):
    made = make(api, widgets)
    answer = api.patch(f"{widgets}/a", content=json.dumps(patch), headers=headers)
    assert (answer.status_code, answer.json()["kind"]) == (code, "Status"), answer.text
    assert api.get(f"{widgets}/a").json() == made


def test_dry_runs_change_nothing(api, widgets):
    dry = {"dryRun": "All"}
    assert api.post(widgets, json=build_widget(), params=dry).status_code == 201
    refused(api.get(f"{widgets}/a"), 404, "NotFound")
    made = make(api, widgets)
    answer = api.patch(f"{widgets}/a", json={"spec": {"size": 4}}, headers=MERGE, params=dry)
    assert answer.json()["spec"]["size"] == 4
    assert api.delete(f"{widgets}/a", params=dry).status_code == 200
    refused(api.post(widgets, json=build_widget(), params=dry), 409, "AlreadyExists")
    refused(api.post(widgets, json=build_widget("b"), params={"dryRun": "Some"}), 422, "Invalid", "dryRun")
    assert api.get(f"{widgets}/a").json() == made


def test_deletion_without_and_with_finalizers(api, widgets):
    made = make(api, widgets)
    status = api.delete(f"{widgets}/a").json()
    details = {"name": "a", "group": "demo.dev", "kind": "widgets", "uid": made["metadata"]["uid"]}
    assert (status["status"], status["details"]) == ("Success", details)
    held = build_widget() | {"metadata": {"name": "a", "finalizers": ["demo.dev/hold"]}}
    assert api.post(widgets, json=held).status_code == 201
    going = api.delete(f"{widgets}/a").json()
    assert going["metadata"]["deletionTimestamp"]
    assert going["metadata"]["deletionGracePeriodSeconds"] == 0
    assert going["metadata"]["generation"] == 2
    assert api.delete(f"{widgets}/a").json() == going
    answer = api.patch(
        f"{widgets}/a", json={"metadata": {"finalizers": ["demo.dev/hold", "demo.dev/more"]}}, headers=MERGE
    )
    refused(answer, 422, "Invalid", "no new finalizers can be added if the object is being deleted")
    assert api.patch(f"{widgets}/a", json={"spec": {"size": 4}}, headers=MERGE).status_code == 200
    assert (
        api.patch(f"{widgets}/a", json={"metadata": {"finalizers": None}}, headers=MERGE).status_code == 200
    )
    refused(api.get(f"{widgets}/a"), 404, "NotFound")


def test_preconditions_and_options_of_deletion(api, widgets):
    made = make(api, widgets)["metadata"]
    wrong = {"preconditions": {"uid": "other"}}
    refused(api.request("DELETE", f"{widgets}/a", json=wrong), 409, "Conflict", "UID in precondition: other")
    wrong = {"preconditions": {"resourceVersion": "1"}}
    refused(
        api.request("DELETE", f"{widgets}/a", json=wrong),
        409,
        "Conflict",
        "ResourceVersion in precondition: 1",
    )
    refused(
        api.request("DELETE", f"{widgets}/a", json={"propagationPolicy": "Sideways"}),
        422,
        "Invalid",
        "propagationPolicy",
    )
    right = {"preconditions": {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}}
    assert api.request("DELETE", f"{widgets}/a", json=right).status_code == 200


def test_deleting_a_selection(api, widgets):
    for name, tier in (("a", "x"), ("b", "x"), ("c", "y")):
        body = build_widget() | {"metadata": {"name": name, "labels": {"tier": tier}}}
        assert api.post(widgets, json=body).status_code == 201
    answer = api.delete(widgets, params={"labelSelector": "tier=x"}).json()
    assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "b"]
    assert [item["metadata"]["name"] for item in api.get(widgets).json()["items"]] == ["c"]


def test_methods_that_do_not_apply(api, widgets):
    refused(api.put(widgets, json={}), 405, "MethodNotAllowed")
    refused(api.post(f"{widgets}/a", json={}), 405, "MethodNotAllowed")
    refused(api.post("/version"), 405, "MethodNotAllowed")


def test_server_side_apply_shares_fields_between_managers(api, widgets):
    headers = {"content-type": "application/apply-patch+yaml"}

    def apply(manager: str, parts: dict, **params: str) -> httpx.Response:
        body = build_widget(parts=[{"name": name, "count": count} for name, count in parts.items()])
        return api.patch(
            f"{widgets}/a", json=body, headers=headers, params={"fieldManager": manager, **params}
        )

    assert apply("one", {"x": 1}).status_code == 201
    assert apply("two", {"y": 2}).json()["spec"]["parts"] == [
        {"name": "x", "count": 1},
        {"name": "y", "count": 2},
    ]
    status = refused(apply("two", {"x": 5}), 409, "Conflict", 'conflict with "one"')
    assert status["details"]["causes"][0]["field"] == '.spec.parts[name="x"].count'
    assert apply("two", {"x": 5}, force="true").json()["spec"]["parts"] == [{"name": "x", "count": 5}]
    version = api.get(f"{widgets}/a").json()["metadata"]["resourceVersion"]
    assert apply("two", {"x": 5}).json()["metadata"]["resourceVersion"] == version
    refused(api.patch(f"{widgets}/a", json=build_widget(), headers=headers), 422, "Invalid", "fieldManager")
    answer = api.patch(f"{widgets}/a", json={}, headers=MERGE, params={"force": "true"})
    refused(answer, 422, "Invalid", "may not be specified for non-apply patch")


def test_managed_fields_name_the_program_that_wrote(api, widgets):
    made = api.post(widgets, json=build_widget(), headers={"user-agent": "painter/1.0 (linux)"}).json()
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("painter", "Update", "demo.dev/v1")
    assert "f:size" in entry["fieldsV1"]["f:spec"]
    reset = api.patch(f"{widgets}/a", json={"metadata": {"managedFields": [{}]}}, headers=MERGE).json()
    assert "managedFields" not in reset["metadata"]
