"""Fill in defaults (defaulting/algorithm.go and prunenulls.go of apiextensions)."""

import copy
from typing import Any

Schema = dict[str, Any]


def apply_defaults(value: Any, schema: Schema | None) -> Any:
    """A copy of `value` with every absent field that has a default filled in, inside the filled-in parts too.

    Null where null is not allowed counts as absent: it is defaulted, or the field is dropped when there is no default.
    """
    if schema is None:
        return value
    if isinstance(value, dict):
        return _default_object(value, schema)
    if isinstance(value, list):
        items = schema.get("items")
        return [apply_defaults(_replaced_null(item, items), items) for item in value]
    return value


def _default_object(value: dict[str, Any], schema: Schema) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    rest = additional if isinstance(additional, dict) else None
    filled = {}
    for name, item in value.items():
        field_schema = properties.get(name, rest)
        replaced = _replaced_null(item, field_schema)
        if replaced is None and _forbids_null(field_schema):
            continue
        filled[name] = apply_defaults(replaced, field_schema)
    for name, field_schema in properties.items():
        if name not in filled and field_schema.get("default") is not None:
            filled[name] = apply_defaults(copy.deepcopy(field_schema["default"]), field_schema)
    return filled


def _forbids_null(schema: Schema | None) -> bool:
    return schema is not None and not schema.get("nullable", False)


def _replaced_null(value: Any, schema: Schema | None) -> Any:
    if value is None and schema is not None and _forbids_null(schema):
        return copy.deepcopy(schema.get("default"))
    return value
