"""Lists: pages of one moment, selectors, tables and metadata alone."""

import httpx
import pytest
from tests.integration.apiserver.test_objects import make, refused
from tests.integration.apiserver.widgets import build_widget

TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["name"] for item in answer.json()["items"]]


def test_a_list_says_its_kind_and_its_moment(api, widgets):
    first = api.get(widgets).json()
    assert (first["kind"], first["apiVersion"], first["items"]) == ("WidgetList", "demo.dev/v1", [])
    made = make(api, widgets)
    listed = api.get(widgets).json()
    assert listed["items"] == [made]
    assert int(listed["metadata"]["resourceVersion"]) >= int(made["metadata"]["resourceVersion"])
    assert made in api.get("/apis/demo.dev/v1/widgets").json()["items"]


def test_pages_show_the_moment_of_the_first(api, widgets):
    for name in "abcde":
        make(api, widgets, name)
    first = api.get(widgets, params={"limit": 2})
    assert names(first) == ["a", "b"]
    assert first.json()["metadata"]["remainingItemCount"] == 3
    api.delete(f"{widgets}/c")
    make(api, widgets, "bb")
    second = api.get(widgets, params={"limit": 2, "continue": first.json()["metadata"]["continue"]})
    assert names(second) == ["c", "d"]
    assert second.json()["metadata"]["resourceVersion"] == first.json()["metadata"]["resourceVersion"]
    third = api.get(widgets, params={"limit": 2, "continue": second.json()["metadata"]["continue"]})
    assert names(third) == ["e"]
    assert "continue" not in third.json()["metadata"]
    assert names(api.get(widgets)) == ["a", "b", "bb", "d", "e"]
    refused(api.get(widgets, params={"continue": "nonsense"}), 400, "BadRequest", "continue key is not valid")


def test_an_exact_moment_and_the_future(api, widgets):
    then = make(api, widgets)["metadata"]["resourceVersion"]
    make(api, widgets, "b")
    exact = {"resourceVersion": then, "resourceVersionMatch": "Exact"}
    assert names(api.get(widgets, params=exact)) == ["a"]
    assert names(api.get(widgets, params={"resourceVersion": "0"})) == ["a", "b"]
    assert names(
        api.get(widgets, params={"resourceVersion": then, "resourceVersionMatch": "NotOlderThan"})
    ) == ["a", "b"]
    status = refused(
        api.get(widgets, params={"resourceVersion": "9" * 15}), 504, "Timeout", "Too large resource version"
    )
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    refused(
        api.get(widgets, params={"resourceVersionMatch": "Exact"}), 422, "Invalid", "resourceVersionMatch"
    )
    refused(api.get(widgets, params={"resourceVersion": "x"}), 422, "Invalid", "resourceVersion")
    old = {"resourceVersion": "1", "resourceVersionMatch": "Exact"}
    refused(api.get(widgets, params=old), 410, "Expired", "too old resource version")


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("t=x", "a"),
        ("t!=x", "bc"),
        ("t in (x,y)", "ab"),
        ("t", "ab"),
        ("!t", "c"),
        ("n>1", "b"),
        ("t=x,n=1", "a"),
        ("", "abc"),
    ],
)
def test_label_selectors(api, widgets, selector, found):
    for name, labels in (("a", {"t": "x", "n": "1"}), ("b", {"t": "y", "n": "2"}), ("c", {})):
        api.post(widgets, json=build_widget() | {"metadata": {"name": name, "labels": labels}})
    assert names(api.get(widgets, params={"labelSelector": selector})) == list(found)
    refused(api.get(widgets, params={"labelSelector": "a=b=c"}), 400, "BadRequest", "found '='")


def test_field_selectors(api, widgets, namespace):
    make(api, widgets, "a", color="blue")
    make(api, widgets, "b", color="green")
    assert names(api.get(widgets, params={"fieldSelector": "metadata.name=b"})) == ["b"]
    assert names(api.get(widgets, params={"fieldSelector": "spec.color=blue"})) == ["a"]
    assert names(
        api.get("/apis/demo.dev/v1/widgets", params={"fieldSelector": f"metadata.namespace={namespace}"})
    ) == ["a", "b"]
    answer = api.get(widgets, params={"fieldSelector": "spec.size=3"})
    refused(answer, 400, "BadRequest", "field label not supported: spec.size")


def test_tables(api, widgets):
    make(api, widgets)
    table = api.get(widgets, headers=TABLE).json()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name",
        "Size",
        "Ready",
        "Color",
        "Age",
    ]
    (row,) = table["rows"]
    assert row["cells"][:4] == ["a", 3, None, "red"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    whole = api.get(f"{widgets}/a", headers=TABLE, params={"includeObject": "Object"}).json()
    assert whole["rows"][0]["object"]["kind"] == "Widget"
    assert (
        api.get(widgets, headers=TABLE, params={"includeObject": "None"}).json()["rows"][0]["object"] is None
    )


def test_metadata_alone_and_what_is_not_acceptable(api, widgets):
    made = make(api, widgets)
    partial = {"accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    listed = api.get(widgets, headers=partial).json()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert listed["items"][0]["metadata"] == made["metadata"]
    assert "spec" not in listed["items"][0]
    protobuf = "application/vnd.kubernetes.protobuf"
    refused(api.get(widgets, headers={"accept": protobuf}), 406, "NotAcceptable")
    assert api.get(widgets, headers={"accept": f"{protobuf},application/json"}).status_code == 200
