"""What the real server answers to the same input, text for text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.apiserver.schema import StructuralSchema, check_structural
from strongroom.apiserver.schema.formats import CHECKS, parse_duration
from strongroom.apiserver.schema.patterns import UnsupportedPatternError, compile_pattern


def of_spec(**properties):
    return StructuralSchema(
        {
            "type": "object",
            "properties": {
                "spec": {"type": "object", "properties": properties},
                "status": {"type": "object"},
            },
        }
    )


def errors(schema, spec):
    return [
        str(error)
        for error in schema.validate(
            {"apiVersion": "g/v1", "kind": "W", "metadata": {"name": "a"}, "spec": spec}
        )
    ]


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "integer", "minimum": 1}, 0, "spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1"),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": True}, 9, "spec.x: Invalid value: 9: spec.x in body should be less than 9"),
        ({"type": "number", "maximum": 1000000}, 2e6, "spec.x: Invalid value: 2e+06: spec.x in body should be less than or equal to 1e+06"),
        ({"type": "number", "multipleOf": 0.1}, 0.25, "spec.x: Invalid value: 0.25: spec.x in body should be a multiple of 0.1"),
        ({"type": "string"}, 3, 'spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer"'),
        ({"type": "integer"}, "3", 'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'),
        ({"type": "integer", "format": "int32"}, True, 'spec.x: Invalid value: "": spec.x in body must be of type int32: ""'),
        ({"type": "array"}, {}, 'spec.x: Invalid value: "object": spec.x in body must be of type array: "object"'),
        ({"x-kubernetes-int-or-string": True}, 1.5, 'spec.x: Invalid value: "number": spec.x in body must be of type integer,string: "number"'),
        ({"type": "string", "enum": ["a", "b"]}, "x", 'spec.x: Unsupported value: "x": supported values: "a", "b"'),
        ({"type": "integer", "enum": [1, 2]}, 3, 'spec.x: Unsupported value: 3: supported values: "1", "2"'),
        ({"type": "string", "maxLength": 2}, "abc", "spec.x: Too long: may not be more than 2 bytes"),
        ({"type": "string", "minLength": 1}, "", 'spec.x: Invalid value: "": spec.x in body should be at least 1 chars long'),
        ({"type": "string", "pattern": "^a$"}, "a\n", 'spec.x: Invalid value: "a\\n": spec.x in body should match \'^a$\''),
        ({"type": "string", "format": "date-time"}, "now", 'spec.x: Invalid value: "now": spec.x in body must be of type date-time: "now"'),
        ({"type": "array", "maxItems": 2, "items": {"type": "integer"}}, [1, 2, 3], "spec.x: Too many: 3: must have at most 2 items"),
        ({"type": "array", "minItems": 1}, [], "spec.x: Invalid value: 0: spec.x in body should have at least 1 items"),
        ({"type": "array", "items": {"type": "string"}}, ["a", 1], 'spec.x[1]: Invalid value: "integer": spec.x[1] in body must be of type string: "integer"'),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"k": 1}, 'spec.x.k: Invalid value: "integer": spec.x.k in body must be of type string: "integer"'),
        ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, "spec.x: Too many: 2: must have at most 1 item"),
        ({"type": "object", "required": ["y"]}, {}, "spec.x.y: Required value"),
        ({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": 1}, '<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives'),
        ({"type": "array", "x-kubernetes-list-type": "set"}, ["a", "a", "a"], 'spec.x[1]: Duplicate value: "a"'),
        ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}, [{"n": "a"}, {"n": "a"}], 'spec.x[1]: Duplicate value: {"n":"a"}'),
    ],
)  # fmt: skip
def test_a_violation_is_told_in_the_servers_words(schema, value, text):
    assert errors(of_spec(x=schema), {"x": value}) == [text]


def test_all_violations_are_told_at_once():
    schema = of_spec(a={"type": "integer", "minimum": 1}, b={"type": "string", "enum": ["x"]})
    assert len(errors(schema, {"a": 0, "b": "y"})) == 2


def test_what_did_not_change_passes_a_schema_that_became_stricter():
    item = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "v": {"type": "integer", "minimum": 5}},
    }
    keyed = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    schema = of_spec(
        a={"type": "integer", "minimum": 5},
        b={"type": "string"},
        keyed=keyed,
        plain={"type": "array", "items": {"type": "integer", "minimum": 5}},
    )
    old = {"spec": {"a": 1, "b": "x", "keyed": [{"name": "i", "v": 1}, {"name": "j", "v": 1}], "plain": [1]}}
    new = {
        "spec": {"a": 1, "b": "y", "keyed": [{"name": "j", "v": 1}, {"name": "i", "v": 2}], "plain": [1, 6]}
    }
    assert [error.field for error in schema.validate(new, old)] == ["spec.keyed[1].v", "spec.plain[0]"]
    assert schema.validate(old, old) == []
    assert len(schema.validate(old)) == 4


def test_null_where_it_is_not_allowed_is_a_wrong_type_and_where_it_is_allowed_passes():
    assert errors(of_spec(x={"type": "array", "items": {"type": "string"}}), {"x": [None]}) == [
        'spec.x[0]: Invalid value: "null": spec.x[0] in body must be of type string: "null"'
    ]
    assert errors(of_spec(x={"type": "string", "nullable": True}), {"x": None}) == []


def test_whole_floats_are_integers_and_integers_are_numbers():
    schema = of_spec(i={"type": "integer"}, n={"type": "number"}, b={"type": "boolean", "enum": [True]})
    assert errors(schema, {"i": 1.0, "n": 1, "b": True}) == []
    assert errors(of_spec(x={"type": "integer", "enum": [1]}), {"x": 1}) == []


def test_unknown_fields_are_dropped_and_named():
    schema = of_spec(
        items={"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}}
    )
    value = {
        "apiVersion": "g/v1",
        "kind": "W",
        "metadata": {"any": 1},
        "zork": 1,
        "spec": {"y": {}, "items": [{"a": "1", "b": 2}]},
    }
    pruned, unknown = schema.prune(value)
    assert pruned == {
        "apiVersion": "g/v1",
        "kind": "W",
        "metadata": {"any": 1},
        "spec": {"items": [{"a": "1"}]},
    }
    assert unknown == ["zork", "spec.y", "spec.items[0].b"]
    assert "zork" in value


def test_preserved_fields_stay_while_declared_ones_below_them_are_still_pruned():
    schema = of_spec(
        free={
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"fixed": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
        labels={"type": "object", "additionalProperties": {"type": "string"}},
    )
    pruned, unknown = schema.prune(
        {"spec": {"free": {"x": {"y": [1]}, "fixed": {"a": "1", "b": "2"}}, "labels": {"k": "v"}}}
    )
    assert pruned == {"spec": {"free": {"x": {"y": [1]}, "fixed": {"a": "1"}}, "labels": {"k": "v"}}}
    assert unknown == ["spec.free.fixed.b"]


def test_defaults_fill_absent_fields_also_inside_defaults_and_null_counts_as_absent():
    nested = {"type": "object", "default": {}, "properties": {"level": {"type": "integer", "default": 3}}}
    schema = of_spec(
        codec=nested,
        size={"type": "integer", "default": 1},
        note={"type": "string"},
        maybe={"type": "string", "nullable": True},
    )
    value = {"spec": {"size": None, "note": None, "maybe": None}}
    assert schema.apply_defaults(value) == {"spec": {"codec": {"level": 3}, "size": 1, "maybe": None}}
    assert value["spec"]["size"] is None
    assert schema.apply_defaults({}) == {}


def test_defaults_reach_into_lists_and_maps_and_are_not_shared():
    item = {"type": "object", "properties": {"on": {"type": "boolean", "default": False}}}
    schema = of_spec(
        items={"type": "array", "items": item},
        table={"type": "object", "additionalProperties": item},
        box={"type": "object", "default": {"a": []}},
    )
    first = schema.apply_defaults({"spec": {"items": [{}, {"on": True}], "table": {"k": {}}}})
    assert first["spec"]["items"] == [{"on": False}, {"on": True}]
    assert first["spec"]["table"] == {"k": {"on": False}}
    first["spec"]["box"]["a"].append(1)
    assert schema.apply_defaults({"spec": {}})["spec"]["box"] == {"a": []}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("duration", "1h30m", "1 hour and"), ("duration", "2 days", "5"), ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2026-01-01T00:00:00.123456789Z", "2026-01-01"), ("ipv4", "10.0.0.1", "10.0.0.256"), ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "x"), ("byte", "YQ==", "a"), ("email", "a@b.c", "ab"), ("uri", "https://a/b", "a b"),
        ("hostname", "a.example", "-a"), ("mac", "01:23:45:67:89:ab", "01:23"), ("k8s-short-name", "a-b", "A"),
    ],
)  # fmt: skip
def test_formats_tell_good_from_bad(name, good, bad):
    assert CHECKS[name](good)
    assert not CHECKS[name](bad)


def test_durations_are_read_as_go_reads_them():
    assert parse_duration("1h30m").total_seconds() == 5400
    assert parse_duration("-1.5s").total_seconds() == -1.5
    assert parse_duration("1d").total_seconds() == 86400
    assert parse_duration("0").total_seconds() == 0


def test_patterns_mean_what_they_mean_in_re2():
    assert not compile_pattern("^a$").search("a\n")
    assert not compile_pattern(r"^\d$").search("٣")
    assert compile_pattern(r"^[[:alpha:]_$]+\z").search("aZ_$")
    assert compile_pattern(r"[]a]").search("]")
    with pytest.raises(UnsupportedPatternError):
        compile_pattern(r"^\pL+$")


def test_a_schema_that_is_not_structural_is_refused():
    problems = check_structural(
        {"type": "object", "properties": {"x": {"$ref": "#/y"}, "y": {"type": "string", "pattern": "("}}}
    )
    assert [problem.split(":")[0] for problem in problems] == [
        "openAPIV3Schema.properties[x].type",
        "openAPIV3Schema.properties[x].$ref",
        "openAPIV3Schema.properties[y].pattern",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda children: (
        st.lists(children, max_size=2) | st.dictionaries(st.sampled_from("abcxyz"), children, max_size=3)
    ),
    max_leaves=8,
)
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer", "default": 1},
        {"type": "string", "default": "d", "nullable": True},
        {"x-kubernetes-int-or-string": True},
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds(
            lambda fields: {"type": "object", "default": {}, "properties": fields},
            st.dictionaries(st.sampled_from("abcx"), parts, max_size=3),
        ),
        st.builds(lambda part: {"type": "object", "additionalProperties": part}, parts),
        st.builds(lambda part: {"type": "array", "items": part}, parts),
        st.builds(
            lambda fields: {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": fields,
            },
            st.dictionaries(st.sampled_from("ab"), parts, max_size=2),
        ),
    ),
    max_leaves=5,
)


@given(SCHEMAS, st.dictionaries(st.sampled_from("abcx"), JSON, max_size=3))
def test_pruning_and_defaulting_settle_at_once_and_nothing_crashes(document, value):
    schema = StructuralSchema({"type": "object", "properties": {"spec": document}})
    pruned, _ = schema.prune({"spec": value})
    assert schema.prune(pruned) == (pruned, [])
    filled = schema.apply_defaults(pruned)
    assert schema.apply_defaults(filled) == filled
    assert schema.prune(filled) == (filled, [])
    assert schema.validate(filled, filled) == []
    assert all(error.field for error in schema.validate(filled))
