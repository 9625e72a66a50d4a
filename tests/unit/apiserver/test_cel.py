import pytest

from strongroom.apiserver.cel import RuleError, compile_rules
from strongroom.apiserver.cel.names import escaped


def rules(spec, *documents, **rest):
    schema = {
        **spec,
        "x-kubernetes-validations": [{"rule": item} if isinstance(item, str) else item for item in documents],
        **rest,
    }
    return compile_rules({"type": "object", "properties": {"spec": schema}})


def refusals(compiled, new, old=None):
    wrap = lambda spec: None if spec is None else {"metadata": {"name": "a"}, "spec": spec}  # noqa: E731
    return [str(error) for error in compiled.validate(wrap(new), wrap(old))]


OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "name": {"type": "string"}},
}


def test_a_rule_that_holds_is_silent_and_one_that_fails_names_itself():
    compiled = rules(OBJECT, "self.a <= self.b")
    assert refusals(compiled, {"a": 1, "b": 1}) == []
    assert refusals(compiled, {"a": 2, "b": 1}) == [
        'spec: Invalid value: "object": failed rule: self.a <= self.b'
    ]


def test_message_message_expression_reason_and_field_path_shape_the_refusal():
    compiled = rules(
        OBJECT,
        {"rule": "self.a < 5", "message": " too big "},
        {
            "rule": "self.a < 4",
            "messageExpression": "'at most 3, not ' + string(self.a)",
            "message": "unused",
            "fieldPath": ".a",
        },
        {"rule": "self.a < 3", "message": "no", "reason": "FieldValueForbidden", "fieldPath": ".a"},
        {"rule": "self.a < 2", "messageExpression": "string(self.name)", "message": "fallback"},
    )
    assert refusals(compiled, {"a": 9}) == [
        'spec: Invalid value: "object": too big',
        'spec.a: Invalid value: "object": at most 3, not 9',
        "spec.a: Forbidden: no",
        'spec: Invalid value: "object": fallback',
    ]


def test_scalars_show_their_value():
    assert refusals(rules({"type": "string"}, {"rule": "self.startsWith('x')", "message": "m"}), "y") == [
        'spec: Invalid value: "y": m'
    ]
    assert refusals(
        rules({"type": "integer"}, {"rule": "self > 1", "message": "m", "reason": "FieldValueDuplicate"}), 1
    ) == ["spec: Duplicate value: 1"]


def test_transition_rules_run_on_updates_only():
    compiled = rules(OBJECT, {"rule": "self == oldSelf", "message": "immutable"})
    assert refusals(compiled, {"a": 1}) == []
    assert refusals(compiled, {"a": 1}, {"a": 1}) == []
    assert refusals(compiled, {"a": 2}, {"a": 1}) == ['spec: Invalid value: "object": immutable']


def test_the_word_old_self_inside_a_text_makes_no_transition_rule():
    assert refusals(rules(OBJECT, "self.name != 'oldSelf'"), {"name": "oldSelf"}) == [
        "spec: Invalid value: \"object\": failed rule: self.name != 'oldSelf'"
    ]


def test_optional_old_self_also_judges_creation():
    compiled = rules(
        OBJECT,
        {
            "rule": "oldSelf.hasValue() ? self.a >= oldSelf.value().a : self.a == 0",
            "message": "m",
            "optionalOldSelf": True,
        },
    )
    assert refusals(compiled, {"a": 0}) == []
    assert refusals(compiled, {"a": 1}) == ['spec: Invalid value: "object": m']
    assert refusals(compiled, {"a": 5}, {"a": 4}) == []
    assert refusals(compiled, {"a": 3}, {"a": 4}) == ['spec: Invalid value: "object": m']


def test_items_of_map_lists_have_a_past_by_their_key():
    item = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "m"}],
    }
    spec = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": item,
    }
    old = [{"name": "x", "v": 5}, {"name": "y", "v": 1}]
    assert refusals(
        rules(spec), [{"name": "new", "v": 0}, {"name": "y", "v": 1}, {"name": "x", "v": 4}], old
    ) == ['spec[2]: Invalid value: "object": m']
    with pytest.raises(RuleError, match="oldSelf cannot be used on the uncorrelatable portion of the schema"):
        rules({"type": "array", "items": item})


def test_maps_are_walked_by_key():
    spec = {
        "type": "object",
        "additionalProperties": {
            "type": "integer",
            "x-kubernetes-validations": [{"rule": "self > oldSelf", "message": "m"}],
        },
    }
    assert refusals(rules(spec), {"k": 1, "n": 1}, {"k": 1}) == ["spec[k]: Invalid value: 1: m"]


def test_what_did_not_change_is_not_judged_again():
    compiled = rules(OBJECT, {"rule": "self.a > 100", "message": "m"})
    assert refusals(compiled, {"a": 1}, {"a": 1}) == []
    assert refusals(compiled, {"a": 1, "b": 2}, {"a": 1}) == ['spec: Invalid value: "object": m']


def test_temporal_texts_are_durations_and_timestamps():
    spec = {
        "type": "object",
        "properties": {
            "d": {"type": "string", "format": "duration"},
            "t": {"type": "string", "format": "date-time"},
            "on": {"type": "string", "format": "date"},
            "list": {"type": "array", "items": {"type": "string", "format": "duration"}},
            "raw": {"type": "string", "format": "byte"},
        },
    }
    good = {"d": "1h30m", "t": "2026-01-01T00:00:00Z", "on": "2026-01-02", "list": ["2h"], "raw": "YWJj"}
    rule = "self.d > duration('1h') && self.t < timestamp('2026-02-01T00:00:00Z') && self.on > self.t && self.list.all(x, x > self.d) && size(self.raw) == 3"
    assert refusals(rules(spec, rule), good) == []
    assert refusals(rules(spec, {"rule": "self.d == duration('5400s')", "message": "m"}), good) == []


def test_field_names_are_escaped():
    assert [escaped(name) for name in ("a-b", "a.b/c", "a__b", "namespace", "1x", "ok")] == [
        "a__dash__b",
        "a__dot__b__slash__c",
        "a__underscores__b",
        "__namespace__",
        "1x",
        "ok",
    ]
    spec = {
        "type": "object",
        "properties": {"my-field": {"type": "integer"}, "namespace": {"type": "string"}},
    }
    assert (
        refusals(
            rules(spec, "self.my__dash__field == 1 && self.__namespace__ == 'x'"),
            {"my-field": 1, "namespace": "x"},
        )
        == []
    )


def test_the_root_shows_the_name_and_nothing_else_of_the_metadata():
    schema = {
        "type": "object",
        "x-kubernetes-validations": [
            {"rule": "self.metadata.name == 'a' && size(self.metadata) == 1", "message": "m"}
        ],
    }
    compiled = compile_rules(schema)
    assert compiled.validate({"metadata": {"name": "a", "labels": {"x": "y"}}}) == []
    assert [str(error) for error in compiled.validate({"metadata": {"name": "b"}})] == [
        '<nil>: Invalid value: "object": m'
    ]


@pytest.mark.parametrize(
    ("rule", "value", "text"),
    [
        ("self.b == 1", {}, "no such key: b evaluating rule: self.b == 1"),
        ("self.a / 0 == 1", {"a": 1}, "division by zero evaluating rule: self.a / 0 == 1"),
        ("self.name > 1", {"name": "x"}, "'no such overload': call arguments did not match a supported operator, function or macro signature for rule: self.name > 1"),
    ],
)  # fmt: skip
def test_a_rule_that_gives_no_result_refuses_with_the_reason(rule, value, text):
    assert refusals(rules(OBJECT, rule), value) == [f'spec: Invalid value: "object": {text}']


def test_a_rule_that_runs_too_long_is_stopped():
    spec = {"type": "array", "items": {"type": "integer"}}
    compiled = rules(spec, "self.all(a, self.all(b, self.all(c, self.all(d, a + b + c + d >= 0))))")
    assert "running out of cost budget" in refusals(compiled, list(range(60)))[0]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (
            {"rule": "self.a =="},
            r"spec\].x-kubernetes-validations\[0\].rule: Invalid value: \"self.a ==\": compilation failed",
        ),
        ({"rule": "slef.a == 1"}, "undeclared reference"),
        ({"rule": "'text'"}, "must evaluate to a bool"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression: .* must evaluate to a string"),
    ],
)
def test_a_rule_that_does_not_compile_is_refused_when_the_crd_is_loaded(document, text):
    with pytest.raises(RuleError, match=text):
        rules(OBJECT, document)


@pytest.mark.parametrize(
    "rule",
    [
        "[1, 2].isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1 && [3, 1].max() == 3", "'a1b22'.find('[0-9]+') == '1'", "'a1b22'.findAll('[0-9]+') == ['1', '22']",
        "'a1b22'.findAll('[0-9]+', 1) == ['1']", "sets.contains([1, 2], [2]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 2], [2, 1])",
        "'a,b'.split(',').size() == 2 && 'A'.lowerAscii() == 'a' && ['a', 'b'].join('-') == 'a-b'", "self.?name.orValue('x') == 'x'", "math.greatest(1, 2) == 2",
        "[self.a, self.b].filter(x, x > 1).exists_one(x, x == 2)", "type(self.a) == int", "'%d'.format([self.a]) == '1'", "size('héé') == 3",
    ],
)  # fmt: skip
def test_the_functions_crds_use_are_there(rule):
    assert refusals(rules(OBJECT, rule), {"a": 1, "b": 2}) == []


@pytest.mark.parametrize(
    "rule",
    [
        "self.zork == 1",
        "has(self.n.zork)",
        "self.?zork.orValue(1) == 1",
        "oldSelf.zork == self.a",
        "self.list.all(x, x > self.zork)",
        "self.a.b == 1",
    ],
)
def test_a_field_that_the_schema_does_not_have_is_refused_when_the_crd_is_loaded(rule):
    with pytest.raises(RuleError, match=r"undefined field '(zork|b)'"):
        rules(NESTED, rule)


@pytest.mark.parametrize(
    "rule",
    [
        "self.n.x == 1",
        "self.map.any == 'x'",
        "self.free.any.thing == 1",
        "self.list.size() == 1",
        "'self.zork' == 'x'",
        "[self].all(self2, self2.zork == 1)",
        "self.n.?x.orValue(1) == 1",
    ],
)
def test_fields_that_exist_or_cannot_be_known_are_not_refused(rule):
    assert rules(NESTED, rule)


NESTED = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "n": {"type": "object", "properties": {"x": {"type": "integer"}}},
        "list": {"type": "array", "items": {"type": "integer"}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def test_rules_of_the_whole_object_see_only_the_name_in_the_metadata():
    for rule in ("has(self.metadata.labels)", "self.zork == 1"):
        with pytest.raises(RuleError, match="undefined field"):
            compile_rules({"type": "object", "x-kubernetes-validations": [{"rule": rule}]})


def test_a_schema_without_rules_refuses_nothing():
    assert compile_rules({"type": "object"}).validate({"spec": None}, None) == []
