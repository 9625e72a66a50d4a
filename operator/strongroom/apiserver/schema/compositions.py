"""`anyOf`, `oneOf`, `allOf` and `not` (schema_props.go of kube-openapi)."""

from collections.abc import Callable
from typing import Any

from strongroom.apiserver.fielderrors import FieldError, go_quote, invalid

Schema = dict[str, Any]
Validate = Callable[[Any, Schema, str], list[FieldError]]


def validate_compositions(value: Any, schema: Schema, path: str, validate: Validate) -> list[FieldError]:
    errors: list[FieldError] = []
    for keyword, check in (("anyOf", _any_of), ("oneOf", _one_of), ("allOf", _all_of)):
        if schema.get(keyword):
            errors += check([validate(value, option, path) for option in schema[keyword]], path)
    if schema.get("not") and not validate(value, schema["not"], path):
        errors.append(_broken(path, "must not validate the schema (not)"))
    return errors


def _any_of(results: list[list[FieldError]], path: str) -> list[FieldError]:
    if not all(results):
        return []
    return [_broken(path, "must validate at least one schema (anyOf)"), *_closest(results)]


def _one_of(results: list[list[FieldError]], path: str) -> list[FieldError]:
    valid = sum(not result for result in results)
    if valid == 1:
        return []
    text = "must validate one and only one schema (oneOf)."
    if valid:
        return [_broken(path, f"{text} Found {valid} valid alternatives")]
    return [_broken(path, f"{text} Found none valid"), *_closest(results)]


def _all_of(results: list[list[FieldError]], path: str) -> list[FieldError]:
    if not any(results):
        return []
    none_valid = ". None validated" if all(results) else ""
    return [
        *(error for result in results for error in result),
        _broken(path, f"must validate all the schemas (allOf){none_valid}"),
    ]


def _closest(results: list[list[FieldError]]) -> list[FieldError]:
    """The alternative nearest to being satisfied explains best; the first of equals."""
    return min(results, key=len)


def _broken(path: str, text: str) -> FieldError:
    # The server cannot place these: the path stands in the text only.
    return invalid("", "", f"{go_quote(path)} {text}")
