import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.apiserver.jsonmerge import BadPatchError, PatchFailedError, json_patch, merge_patch
from strongroom.apiserver.strategicmerge import strategic_merge_patch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=2), children, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}), ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}), ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}), ({"e": None}, {"a": 1}, {"e": None, "a": 1}), ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)  # fmt: skip
def test_merge_patches_do_what_the_rfc_shows(target, patch, result):
    before = copy.deepcopy(target)
    assert merge_patch(target, patch) == result
    assert target == before


@given(JSON, JSON)
def test_a_merge_patch_applied_twice_is_applied_once(target, patch):
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


def test_json_patches_run_and_a_failed_test_or_operation_is_told_apart_from_a_malformed_document():
    assert json_patch(
        {"a": [1]}, [{"op": "test", "path": "/a/0", "value": 1}, {"op": "add", "path": "/a/-", "value": 2}]
    ) == {"a": [1, 2]}
    failing = [
        [{"op": "test", "path": "/a", "value": 2}], [{"op": "remove", "path": "/none"}], [{"op": "zork", "path": "/a"}], [{"op": "add", "value": 1}],
        [{"op": "add", "path": "a", "value": 1}], [{"op": "add", "path": "/a/b/c", "value": 1}], [{"op": "replace", "path": "/a/x", "value": 1}],
    ]  # fmt: skip
    for operations in failing:
        with pytest.raises(PatchFailedError):
            json_patch({"a": 1}, operations)
    for malformed in ({}, "x", [1], None):
        with pytest.raises(BadPatchError):
            json_patch({"a": 1}, malformed)


def test_a_json_patch_leaves_its_target_alone():
    target = {"a": {"b": 1}}
    json_patch(target, [{"op": "remove", "path": "/a/b"}])
    assert target == {"a": {"b": 1}}


def test_owner_references_merge_by_uid_and_finalizers_as_a_set():
    target = {
        "metadata": {
            "ownerReferences": [{"uid": "1", "name": "a"}, {"uid": "2", "name": "b"}],
            "finalizers": ["x/y"],
        }
    }
    patch = {
        "metadata": {
            "ownerReferences": [{"uid": "2", "name": "c"}, {"uid": "3"}, {"$patch": "delete", "uid": "1"}],
            "finalizers": ["a/b", "x/y"],
        }
    }
    assert strategic_merge_patch(target, patch)["metadata"] == {
        "ownerReferences": [{"uid": "2", "name": "c"}, {"uid": "3"}],
        "finalizers": ["x/y", "a/b"],
    }


def test_directives_replace_retain_order_and_delete():
    target = {
        "data": {"a": "1", "b": "2"},
        "metadata": {"finalizers": ["x/1", "x/2", "x/3"], "labels": {"k": "v"}},
    }
    assert strategic_merge_patch(target, {"data": {"$patch": "replace", "c": "3"}})["data"] == {"c": "3"}
    assert strategic_merge_patch(target, {"data": {"$patch": "delete"}})["data"] == {}
    assert strategic_merge_patch(target, {"data": {"$retainKeys": ["b", "c"], "c": "3"}})["data"] == {
        "b": "2",
        "c": "3",
    }
    removed = strategic_merge_patch(target, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/2"]}})
    assert removed["metadata"]["finalizers"] == ["x/1", "x/3"]
    ordered = strategic_merge_patch(
        target, {"metadata": {"$setElementOrder/finalizers": ["x/3", "x/1"], "finalizers": ["x/4"]}}
    )
    assert ordered["metadata"]["finalizers"] == ["x/3", "x/4", "x/1", "x/2"]
    assert strategic_merge_patch(target, {"metadata": {"labels": None}})["metadata"].get("labels") is None


def test_other_lists_are_replaced_and_nonsense_is_refused():
    assert strategic_merge_patch({"subjects": [1]}, {"subjects": [2]}) == {"subjects": [2]}
    for patch in ([], {"data": {"$patch": "zork"}}, {"metadata": {"ownerReferences": [{"name": "no uid"}]}}):
        with pytest.raises(BadPatchError):
            strategic_merge_patch({"data": {}}, patch)
