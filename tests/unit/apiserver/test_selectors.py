import pytest

from strongroom.apiserver.selectors import field_requirements, parse_field_selector, parse_label_selector

LABELS = {"app": "x", "tier": "1", "a.b/c": "", "in": "in"}


@pytest.mark.parametrize(
    "text",
    [
        "", "app=x", "app==x", "app = x , tier=1", "app!=y", "none!=y", "app in (x, y)", "app notin (z)", "none notin (z)", "app", "!none",
        "tier>0", "tier<2", "a.b/c=", "a.b/c in ()", "in=in", "in in (in)", "app in (x),!none,tier",
    ],
)  # fmt: skip
def test_a_label_selector_selects(text):
    assert parse_label_selector(text)(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "app=y",
        "none=x",
        "app notin (x)",
        "app in (z,w)",
        "none",
        "!app",
        "tier>1",
        "app>0",
        "app=x,none",
        "app!=x",
    ],
)
def test_a_label_selector_rejects(text):
    assert not parse_label_selector(text)(LABELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=x", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a>b", "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer"),
    ],
)  # fmt: skip
def test_an_unreadable_label_selector_is_refused_in_the_servers_words(text, message):
    with pytest.raises(ValueError) as refusal:
        parse_label_selector(text)
    assert str(refusal.value) == message


def test_bad_keys_and_values_are_refused():
    with pytest.raises(
        ValueError, match=r'^unable to parse requirement: <nil>: Invalid value: "-a": name part must consist'
    ):
        parse_label_selector("-a=b")
    with pytest.raises(
        ValueError,
        match=r'^unable to parse requirement: values\[0\]\[a\]: Invalid value: "b/c": a valid label must be',
    ):
        parse_label_selector("a=b/c")


def test_field_selectors_compare_texts_and_know_which_fields_exist():
    supported = {"metadata.name", "type"}
    assert parse_field_selector("metadata.name=a,type!=Opaque", supported)({"metadata.name": "a"})
    assert not parse_field_selector("metadata.name==b", supported)({"metadata.name": "a"})
    assert parse_field_selector(r"metadata.name=a\,b\=c", supported)({"metadata.name": "a,b=c"})
    assert parse_field_selector("", supported)({})
    with pytest.raises(ValueError, match=r"^field label not supported: spec\.x$"):
        parse_field_selector("spec.x=1", supported)
    with pytest.raises(ValueError, match=r"^invalid selector: 'a'; can't understand 'a'$"):
        parse_field_selector("a", supported)
    assert field_requirements("metadata.name=a")[0].value == "a"
