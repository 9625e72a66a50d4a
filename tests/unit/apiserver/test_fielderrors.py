import pytest

from strongroom.apiserver import fielderrors


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e6, "1e+06"), (100000.0, "100000"), (1.5, "1.5"), (-1234567.5, "-1.2345675e+06"), (0.0001, "0.0001"),
        (0.00001, "1e-05"), (0.0, "0"), (True, "true"), (7, "7"), (None, "null"), ({"b": [1], "a": "x"}, '{"a":"x","b":[1]}'),
    ],
)  # fmt: skip
def test_values_are_printed_as_go_prints_them(value, text):
    assert fielderrors.go_text(value) == text


def test_strings_are_quoted_as_go_quotes_them():
    assert fielderrors.go_quote('a"\\\n\x01é\u200b') == '"a\\"\\\\\\n\\x01é\\u200b"'


def test_one_cause_reads_like_the_servers():
    error = fielderrors.invalid("spec.size", 0, "spec.size in body should be greater than or equal to 1")
    assert error.type == "FieldValueInvalid"
    assert str(error) == "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"
    assert fielderrors.required("spec.x").message == "Required value"
    assert (
        fielderrors.not_supported("a", "x", ["b", "c"]).message
        == 'Unsupported value: "x": supported values: "b", "c"'
    )
    assert fielderrors.too_many("a", 3, 2).message == "Too many: 3: must have at most 2 items"
    assert fielderrors.too_long("a", 1).message == "Too long: may not be more than 1 byte"


def test_one_error_stands_alone_and_several_stand_in_brackets():
    one, other = fielderrors.required("a"), fielderrors.forbidden("b", "no")
    assert fielderrors.invalid_message('W.g "n"', [one]) == 'W.g "n" is invalid: a: Required value'
    assert (
        fielderrors.invalid_message('W.g "n"', [one, other])
        == 'W.g "n" is invalid: [a: Required value, b: Forbidden: no]'
    )
