"""Server-side apply, checked against what the documentation and the real server show, and against its own laws by random histories."""

import copy
import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from strongroom.apiserver.managedfields import ConflictError, TypedPatchError, Write, apply, track_update
from strongroom.apiserver.managedfields.merging import merge
from strongroom.apiserver.managedfields.paths import build_fields, parse_fields, path_text

TEXT = {"type": "string"}
ITEM = {"type": "object", "properties": {"name": TEXT, "port": {"type": "integer", "default": 80}, "v": TEXT}}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "a": TEXT,
                "b": TEXT,
                "n": {"type": "object", "properties": {"x": TEXT, "y": TEXT}},
                "labels": {"type": "object", "additionalProperties": TEXT},
                "atomic": {"type": "array", "items": TEXT},
                "set": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
                "list": {
                    "type": "array",
                    "items": ITEM,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                },
                "keyed": {
                    "type": "array",
                    "items": ITEM,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name", "port"],
                },
                "whole": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "properties": {"x": TEXT, "y": TEXT},
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"phase": TEXT}},
    },
}


def write(manager="m", **more):
    return Write(manager, "g/v1", more.pop("now", "2026-01-01T00:00:00Z"), **more)


def obj(spec=None, **metadata):
    body = {"apiVersion": "g/v1", "kind": "W", "metadata": {"name": "a", **metadata}}
    return body if spec is None else {**body, "spec": spec}


def applied(live, spec, manager="m", *, force=False, **more):
    return apply(live, obj(spec), write(manager, **more), SCHEMA, force=force)


def updated(old, new, manager="u", **more):
    new = copy.deepcopy(new)
    new["metadata"]["managedFields"] = track_update(old, new, write(manager, **more), SCHEMA)
    return new


def fields(result, manager, operation="Apply"):
    for entry in result["metadata"]["managedFields"]:
        if (entry["manager"], entry["operation"]) == (manager, operation):
            return entry["fieldsV1"]
    return None


def test_what_is_applied_first_is_owned_leaf_by_leaf():
    result = applied(
        None,
        {
            "a": "1",
            "labels": {"k": "v"},
            "set": ["x"],
            "list": [{"name": "i", "v": "1"}],
            "atomic": ["p"],
            "whole": {"x": "1"},
        },
    )
    assert fields(result, "m") == {
        "f:spec": {
            "f:a": {}, "f:atomic": {}, "f:labels": {"f:k": {}}, "f:list": {'k:{"name":"i"}': {".": {}, "f:name": {}, "f:v": {}}}, "f:set": {'v:"x"': {}},
            "f:whole": {},
        }
    }  # fmt: skip
    (entry,) = result["metadata"]["managedFields"]
    assert {name: value for name, value in entry.items() if name != "fieldsV1"} == {
        "manager": "m", "operation": "Apply", "apiVersion": "g/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
    }  # fmt: skip


def test_a_created_object_belongs_to_its_creator_with_its_containers():
    result = updated(
        None, obj({"a": "1", "set": ["x"]}, labels={"l": "1"}, annotations={"k": "v"}, uid="u", generation=1)
    )
    assert fields(result, "u", "Update") == {
        "f:metadata": {"f:annotations": {".": {}, "f:k": {}}, "f:labels": {".": {}, "f:l": {}}},
        "f:spec": {".": {}, "f:a": {}, "f:set": {".": {}, 'v:"x"': {}}},
    }


def test_a_field_of_another_manager_is_a_conflict_until_forced():
    live = updated(None, obj({"a": "1", "b": "1"}), "kubectl-edit")
    with pytest.raises(ConflictError) as refusal:
        applied(live, {"a": "2"})
    assert (
        str(refusal.value)
        == 'Apply failed with 1 conflict: conflict with "kubectl-edit" using g/v1 at 2026-01-01T00:00:00Z: .spec.a'
    )
    assert [(cause.type, cause.field, cause.message) for cause in refusal.value.causes] == [
        ("FieldManagerConflict", ".spec.a", 'conflict with "kubectl-edit" using g/v1 at 2026-01-01T00:00:00Z')
    ]
    forced = applied(live, {"a": "2"}, force=True)
    assert forced["spec"] == {"a": "2", "b": "1"}
    assert fields(forced, "m") == {"f:spec": {"f:a": {}}}
    assert fields(forced, "kubectl-edit", "Update") == {"f:spec": {".": {}, "f:b": {}}}


def test_several_conflicts_are_listed_by_manager():
    live = applied(applied(None, {"a": "1", "n": {"x": "1"}}, "one"), {"b": "1"}, "two")
    with pytest.raises(ConflictError) as refusal:
        applied(live, {"a": "2", "b": "2", "n": {"x": "2"}})
    assert (
        str(refusal.value)
        == 'Apply failed with 3 conflicts: conflicts with "one":\n- .spec.a\n- .spec.n.x\nconflicts with "two":\n- .spec.b'
    )


def test_the_same_value_is_owned_together_and_leaves_with_its_last_owner():
    live = applied(applied(None, {"a": "1", "b": "1"}, "one"), {"a": "1"}, "two")
    assert fields(live, "one") == {"f:spec": {"f:a": {}, "f:b": {}}}
    assert fields(live, "two") == {"f:spec": {"f:a": {}}}
    live = applied(live, {"b": "1"}, "one")
    assert live["spec"] == {"a": "1", "b": "1"}
    live = applied(live, {}, "two")
    assert live["spec"] == {"b": "1"}
    assert fields(live, "two") == {"f:spec": {}}


def test_what_is_no_longer_applied_goes_but_what_others_or_nobody_owns_stays():
    live = applied(
        None, {"a": "1", "n": {"x": "1"}, "set": ["p", "q"], "list": [{"name": "i", "v": "1"}, {"name": "j"}]}
    )
    live["spec"]["n"]["y"] = "default"
    live = updated(
        live,
        {
            **live,
            "spec": {**live["spec"], "set": ["p", "q", "r"], "list": [*live["spec"]["list"], {"name": "k"}]},
        },
        "u",
    )
    live = applied(live, {"n": {"x": "1"}, "set": ["q"], "list": [{"name": "j"}]})
    assert live["spec"] == {
        "n": {"x": "1", "y": "default"},
        "set": ["q", "r"],
        "list": [{"name": "j"}, {"name": "k"}],
    }
    assert applied(live, {"set": ["q"]})["spec"]["list"] == [{"name": "k"}]


def test_lists_keep_the_applied_order_and_the_place_of_foreign_items():
    schema = SCHEMA["properties"]["spec"]["properties"]["set"]
    assert merge(["a", "b", "c"], ["c", "a"], schema) == ["b", "c", "a"]
    assert merge(["a", "x", "b"], ["a", "b", "d"], schema) == ["a", "x", "b", "d"]
    assert merge(["x"], ["a", "b"], schema) == ["x", "a", "b"]


def test_items_without_a_key_count_with_its_default():
    live = applied(None, {"keyed": [{"name": "i", "v": "1"}]})
    assert fields(live, "m") == {
        "f:spec": {"f:keyed": {'k:{"name":"i","port":80}': {".": {}, "f:name": {}, "f:v": {}}}}
    }
    assert applied(live, {"keyed": [{"name": "i", "port": 80, "v": "2"}]})["spec"]["keyed"] == [
        {"name": "i", "port": 80, "v": "2"}
    ]


def test_owner_references_merge_by_uid_and_finalizers_as_a_set():
    live = apply(
        None, obj(ownerReferences=[{"uid": "1", "name": "x"}], finalizers=["a/b"]), write("one"), SCHEMA
    )
    live = apply(
        live, obj(ownerReferences=[{"uid": "2", "name": "y"}], finalizers=["c/d"]), write("two"), SCHEMA
    )
    assert [owner["uid"] for owner in live["metadata"]["ownerReferences"]] == ["1", "2"]
    assert live["metadata"]["finalizers"] == ["a/b", "c/d"]
    assert fields(live, "two") == {
        "f:metadata": {"f:finalizers": {'v:"c/d"': {}}, "f:ownerReferences": {'k:{"uid":"2"}': {}}}
    }


def test_without_a_schema_maps_merge_and_lists_are_whole():
    first = apply(None, {**obj(), "data": {"a": "1"}, "items": [1]}, write("one"), None)
    second = apply(first, {**obj(), "data": {"b": "2"}}, write("two"), None)
    assert second["data"] == {"a": "1", "b": "2"}
    assert fields(second, "one") == {"f:data": {".": {}, "f:a": {}}, "f:items": {}}
    with pytest.raises(ConflictError):
        apply(second, {**obj(), "items": [2]}, write("two"), None)


def test_applying_the_same_again_changes_nothing_not_even_the_time():
    live = applied(None, {"a": "1", "set": ["x"]})
    assert applied(live, {"a": "1", "set": ["x"]}, now="2027-01-01T00:00:00Z") == live


def test_the_time_moves_when_the_object_changes():
    live = applied(None, {"a": "1"})
    again = applied(live, {"a": "2"}, now="2027-01-01T00:00:00Z")
    assert again["metadata"]["managedFields"][0]["time"] == "2027-01-01T00:00:00Z"


def test_an_object_without_entries_belongs_to_before_first_apply():
    live = obj({"a": "1", "b": "1"}, uid="u")
    with pytest.raises(ConflictError, match="before-first-apply"):
        applied(live, {"a": "2"})
    result = applied(live, {"a": "1"})
    assert fields(result, "before-first-apply", "Update") == {"f:spec": {".": {}, "f:a": {}, "f:b": {}}}


def test_an_update_takes_what_it_changes_and_drops_what_it_removes():
    live = applied(None, {"a": "1", "b": "1", "set": ["x"]})
    live = updated(live, {**live, "spec": {"a": "2", "set": ["x", "y"]}}, "u", now="2026-02-01T00:00:00Z")
    assert fields(live, "m") == {"f:spec": {"f:set": {'v:"x"': {}}}}
    assert fields(live, "u", "Update") == {"f:spec": {"f:a": {}, "f:set": {'v:"y"': {}}}}
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["m", "u"]


def test_an_update_that_changes_nothing_leaves_the_entries_alone():
    live = updated(None, obj({"a": "1"}, uid="1"))
    bare = copy.deepcopy(live)
    del bare["metadata"]["managedFields"]
    assert (
        track_update(live, bare, write("u", now="2030-01-01T00:00:00Z"), SCHEMA)
        == live["metadata"]["managedFields"]
    )


def test_entries_written_by_a_client_count_and_an_empty_entry_clears_them():
    live = updated(None, obj({"a": "1"}, uid="1"), "kubectl-client-side-apply")
    migrated = copy.deepcopy(live)
    migrated["metadata"]["managedFields"][0] |= {"manager": "kubectl", "operation": "Apply"}
    assert track_update(live, migrated, write("kubectl"), SCHEMA) == migrated["metadata"]["managedFields"]
    cleared = obj({"a": "1"}, uid="1", managedFields=[{}])
    assert track_update(live, cleared, write("u"), SCHEMA) == []
    broken = obj({"a": "1"}, uid="1", managedFields=[{"manager": "x", "operation": "Zork"}])
    assert track_update(live, broken, write("u"), SCHEMA) == live["metadata"]["managedFields"]


def test_status_is_owned_through_its_own_endpoint_only():
    live = apply(None, {**obj({"a": "1"}), "status": {"phase": "x"}}, write("m", has_status=True), SCHEMA)
    assert fields(live, "m") == {"f:spec": {"f:a": {}}}
    status = {**obj(), "status": {"phase": "Ready"}}
    live = apply({**live, "status": {}}, status, write("c", subresource="status", has_status=True), SCHEMA)
    (entry,) = [entry for entry in live["metadata"]["managedFields"] if entry["manager"] == "c"]
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:phase": {}}})
    changed = {**live, "status": {"phase": "Failed"}, "spec": {"a": "changed"}}
    entries = track_update(live, changed, write("o", subresource="status", has_status=True), SCHEMA)
    assert next(entry for entry in entries if entry["manager"] == "o")["fieldsV1"] == {
        "f:status": {"f:phase": {}}
    }


def test_kubectl_takes_over_what_it_applied_client_side():
    noted = {"apiVersion": "g/v1", "kind": "W", "metadata": {"name": "a"}, "spec": {"a": "1", "b": "1"}}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(noted)}
    live = updated(None, obj({"a": "1", "b": "1"}, annotations=annotations), "kubectl-client-side-apply")
    result = applied(live, {"a": "2"}, "kubectl")
    assert result["spec"]["a"] == "2"
    note = json.loads(result["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert note == obj({"a": "2"})
    edited = updated(live, {**live, "spec": {"a": "edited", "b": "1"}}, "kubectl-edit")
    with pytest.raises(ConflictError, match="kubectl-edit"):
        applied(edited, {"a": "2"}, "kubectl")
    with pytest.raises(ConflictError):
        applied(live, {"a": "2"}, "someone-else")


def test_at_most_ten_updaters_are_kept():
    live = updated(None, obj({"labels": {"0": "x"}}), "u00", now="2026-01-01T00:00:00Z")
    for number in range(1, 15):
        spec = {"labels": {**live["spec"]["labels"], str(number): "x"}}
        live = updated(live, {**live, "spec": spec}, f"u{number:02}", now=f"2026-01-01T00:{number:02}:00Z")
    managers = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    assert managers == ["ancient-changes", *(f"u{number:02}" for number in range(6, 15))]
    assert set(fields(live, "ancient-changes", "Update")["f:spec"]["f:labels"]) == {
        ".",
        *(f"f:{number}" for number in range(6)),
    }


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"zork": 1}, ".spec.zork: field not declared in schema"),
        ({"set": ["a", "a"]}, '.spec.set: duplicate entries for key [="a"]'),
        (
            {"list": [{"v": "1"}]},
            '.spec.list: element 0: associative list with keys has an element that omits key field "name"',
        ),
        ({"list": [{"name": "i"}, {"name": "i"}]}, '.spec.list: duplicate entries for key [name="i"]'),
    ],
)
def test_a_body_that_does_not_fit_the_schema_is_refused(spec, text):
    with pytest.raises(TypedPatchError) as refusal:
        applied(None, spec)
    assert str(refusal.value).startswith(text)


def test_an_applied_body_has_no_managed_fields():
    with pytest.raises(ValueError, match=r"^metadata\.managedFields must be nil$"):
        apply(None, obj({}, managedFields=[]), write(), SCHEMA)


def test_field_sets_survive_the_wire():
    wire = {"f:a": {".": {}, "f:b": {}}, "f:l": {'k:{"name":"x"}': {}, 'v:"y"': {}, "i:0": {}}}
    assert build_fields(parse_fields(wire)) == wire
    assert parse_fields({"f:l": {'k:{"b": 1, "a": "x"}': {}}}) == {("f:l", 'k:{"a":"x","b":1}')}
    assert path_text(("f:spec", 'k:{"a":"x","b":1}', "f:v")) == '.spec[a="x",b=1].v'


VALUES = st.sampled_from(["1", "2"])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES, "b": VALUES, "n": st.fixed_dictionaries({}, optional={"x": VALUES, "y": VALUES}), "labels": st.dictionaries(st.sampled_from("kl"), VALUES),
        "atomic": st.lists(VALUES, max_size=2), "set": st.lists(st.sampled_from("pqr"), unique=True), "whole": st.fixed_dictionaries({}, optional={"x": VALUES}),
        "list": st.lists(st.builds(lambda name, v: {"name": name, "v": v}, st.sampled_from("ij"), VALUES), unique_by=lambda item: item["name"], max_size=2),
        "free": st.dictionaries(st.sampled_from("st"), VALUES | st.lists(VALUES, max_size=1), max_size=2),
    },
)  # fmt: skip
HISTORIES = st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), SPECS, st.booleans()), max_size=5)


def replay(history):
    """Apply or update, one after the other, forced: a live object as random clients leave it."""
    live = None
    for manager, spec, is_update in history:
        if is_update:
            body = obj(spec, uid="1")
            live = updated(live, body, manager)
        else:
            live = applied(live, spec, manager, force=True)
    return live


def merged_below(part, whole, path=()):
    """Everything in `part` is in `whole`; lists of named items by name, sets by value."""
    if isinstance(part, dict):
        return all(
            name in whole and merged_below(item, whole[name], (*path, name)) for name, item in part.items()
        )
    if isinstance(part, list) and path[-1:] == ("set",):
        return set(part) <= set(whole)
    if isinstance(part, list) and path[-1:] == ("list",):
        names = {item["name"]: item for item in whole}
        return all(merged_below(item, names[item["name"]], (*path, "item")) for item in part)
    return part == whole


@settings(max_examples=120, deadline=None)
@given(HISTORIES, SPECS)
def test_a_forced_apply_has_its_will_and_owns_it(history, spec):
    result = applied(replay(history), spec, "me", force=True)
    assert merged_below(spec, result.get("spec", {}))
    mine = parse_fields(fields(result, "me") or {})
    for entry in result["metadata"]["managedFields"]:
        assert entry["fieldsV1"]
    assert mine == parse_fields(fields(applied(None, spec, "me"), "me") or {})


@settings(max_examples=120, deadline=None)
@given(HISTORIES, SPECS)
def test_applying_twice_is_applying_once(history, spec):
    once = applied(replay(history), spec, "me", force=True)
    assume(once["metadata"]["managedFields"])  # an object nobody owns anything of counts as never applied
    assert applied(once, spec, "me", now="2027-01-01T00:00:00Z") == once


@settings(max_examples=120, deadline=None)
@given(HISTORIES, SPECS)
def test_what_a_manager_applied_and_withdrew_leaves_what_was_there(history, spec):
    """When nothing was overwritten, an apply followed by an empty one gives back the object and its owners."""
    before = replay(history)
    try:
        during = applied(before, spec, "me")
    except ConflictError:
        return
    after = apply(during, obj(), write("me"), SCHEMA)
    assert fields(after, "me") is None
    others = [entry["manager"] for entry in after["metadata"]["managedFields"]]
    assert "me" not in others
    if before is not None:
        live = before.get("spec", {})
        assert merged_below(
            {name: item for name, item in live.items() if name in ("a", "b") and spec.get(name) is None},
            after.get("spec", {}),
        )


@settings(max_examples=120, deadline=None)
@given(HISTORIES)
def test_nobody_owns_what_is_not_there(history):
    live = replay(history)
    if live is None:
        return
    for entry in live["metadata"]["managedFields"]:
        for path in parse_fields(entry["fieldsV1"]):
            assert exists(live, path), (path, live)


def exists(value, path):
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            if not isinstance(value, dict) or rest not in value:
                return False
            value = value[rest]
        elif kind == "v":
            if json.loads(rest) not in value:
                return False
            value = json.loads(rest)
        else:
            keys = json.loads(rest)
            found = [item for item in value if all(item.get(name) == key for name, key in keys.items())]
            if not found:
                return False
            value = found[0]
    return True
