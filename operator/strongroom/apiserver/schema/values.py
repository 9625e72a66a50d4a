"""Values against a schema, in the words of go-openapi as kube-openapi keeps them (`pkg/validation/validate`, `…/errors/schema.go`)."""

from collections.abc import Iterator
from typing import Any

from strongroom.apiserver.fielderrors import (
    FieldError,
    child,
    go_json,
    index,
    not_supported,
    required,
    type_invalid,
)
from strongroom.apiserver.schema import formats
from strongroom.apiserver.schema.compositions import validate_compositions
from strongroom.apiserver.schema.correlation import NO_PAST, is_unchanged, item_identity, old_field, old_items
from strongroom.apiserver.schema.sizes import validate_property_count, validate_sizes

Schema = dict[str, Any]


def validate_values(value: Any, schema: Schema, path: str = "", old: Any = NO_PAST) -> list[FieldError]:
    """All violations, the node's own before those of its children; `path` is empty at the root.

    What is as it was in `old` is not judged again (ratcheting): an object stays editable after its schema became stricter.
    """
    if is_unchanged(old, value):
        return []
    errors = list(_type_errors(value, schema, path))
    if value is not None:
        errors += validate_compositions(value, schema, path, validate_values)
        errors += validate_sizes(value, schema, path)
    errors += _enum_errors(value, schema, path)
    if isinstance(value, list):
        errors += _item_errors(value, schema, path, old)
    elif isinstance(value, dict):
        # The server does not look into an object that has too many or too few properties.
        errors += list(validate_property_count(value, schema, path)) or _object_errors(
            value, schema, path, old
        )
    return list(dict.fromkeys(errors))


def type_name(value: Any) -> str:
    """The JSON type as the server prints it."""
    if isinstance(value, bool):
        return "boolean"
    names = {
        int: "integer",
        float: "number",
        str: "string",
        list: "array",
        dict: "object",
        type(None): "null",
    }
    return names[type(value)]


def _type_errors(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    allowed = (
        ["integer", "string"]
        if schema.get("x-kubernetes-int-or-string")
        else [schema["type"]]
        if schema.get("type")
        else []
    )
    if not allowed:
        return
    actual = type_name(value)
    if value is None:
        if not schema.get("nullable"):
            yield _wrong_type(path, ",".join(allowed), actual)
        return
    is_whole = isinstance(value, float) and value.is_integer()
    if (
        actual not in allowed
        and not ("number" in allowed and actual == "integer")
        and not ("integer" in allowed and is_whole)
    ):
        named = schema.get("format") if schema.get("format") in formats.NAMES else None
        if named and not isinstance(value, str | list):
            # Here the server names the format and the Go width of the value, not the types.
            yield _wrong_type(path, named, {"integer": "int64", "number": "float64"}.get(actual, ""))
        else:
            yield _wrong_type(path, ",".join(allowed), actual)


def _wrong_type(path: str, wanted: str, actual: str) -> FieldError:
    return type_invalid(path, actual, f'{path} in body must be of type {wanted}: "{actual}"')


def _enum_errors(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    allowed = schema.get("enum")
    if allowed and not any(_same(value, item) for item in allowed):
        texts = [item if isinstance(item, str) else go_json(item) for item in allowed]
        yield not_supported(path, value, texts)


def _same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _item_errors(value: list[Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    items = schema.get("items")
    if items:
        olds = old_items(schema, old)
        for position, item in enumerate(value):
            past = olds.get(item_identity(schema, item), NO_PAST) if olds else NO_PAST
            yield from validate_values(item, items, index(path, position), past)


def _object_errors(value: dict[str, Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        for name, item in value.items():
            if name not in properties:
                yield from validate_values(item, additional, child(path, name), old_field(schema, old, name))
    for name, field_schema in properties.items():
        if name in value:
            yield from validate_values(
                value[name], field_schema, child(path, name), old_field(schema, old, name)
            )
    for name in schema.get("required") or []:
        if name not in value:
            yield required(child(path, name))
