"""How the schema says that values merge: maps and lists field by field (granular), or as a whole (atomic).

Without a schema the type is deduced from the value: maps are granular, lists atomic. Metadata is typed here for every kind.
"""

from collections.abc import Iterator
from typing import Any

from strongroom.apiserver.managedfields.paths import (
    Path,
    field_element,
    key_element,
    path_text,
    value_element,
)

Schema = dict[str, Any]

MAP, LIST, LEAF = "map", "list", "leaf"

_ANY: Schema = {"x-kubernetes-preserve-unknown-fields": True}
_TEXT: Schema = {"type": "string"}
_TEXT_MAP: Schema = {"type": "object", "additionalProperties": _TEXT}
_METADATA: Schema = {
    "type": "object",
    "x-kubernetes-preserve-unknown-fields": True,
    "properties": {
        "annotations": _TEXT_MAP,
        "labels": _TEXT_MAP,
        "finalizers": {"type": "array", "items": _TEXT, "x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "items": {"type": "object", "x-kubernetes-map-type": "atomic"},
        },
        "managedFields": {"type": "array", "x-kubernetes-list-type": "atomic"},
    },
}


class TypedPatchError(ValueError):
    """An applied object that does not fit the schema: an unknown field, a list item without its key, a duplicate."""


def object_schema(schema: Schema | None) -> Schema:
    """The schema of a whole object of a kind, its metadata typed; None gives the deduced one."""
    base = schema if schema is not None else _ANY
    meta = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _METADATA}
    return {"type": "object", **base, "properties": {**(base.get("properties") or {}), **meta}}


def granularity(schema: Schema | None, value: Any) -> str:
    """MAP or LIST when the value merges by its parts, else LEAF."""
    schema = schema or {}
    if isinstance(value, dict):
        return LEAF if schema.get("x-kubernetes-map-type") == "atomic" else MAP
    if isinstance(value, list) and schema.get("x-kubernetes-list-type") in {"set", "map"}:
        return LIST
    return LEAF


def field_schema(schema: Schema | None, name: str) -> Schema | None:
    """None where the type must be deduced."""
    schema = schema or {}
    declared = (schema.get("properties") or {}).get(name)
    if declared is not None:
        return dict(declared)
    additional = schema.get("additionalProperties")
    return additional if isinstance(additional, dict) else None


def is_declared(schema: Schema | None, name: str) -> bool:
    return name in ((schema or {}).get("properties") or {})


def list_items(schema: Schema | None, values: list[Any] | None) -> list[tuple[str, Any]]:
    """The items of a granular list with their path elements; an item without its key goes by its position."""
    schema = schema or {}
    if schema.get("x-kubernetes-list-type") == "set":
        return [(value_element(value), value) for value in values or []]
    return [(_keys(schema, value) or f"i:{position}", value) for position, value in enumerate(values or [])]


def _keys(schema: Schema, value: Any) -> str | None:
    """Keys that are absent count with their default."""
    if not isinstance(value, dict):
        return None
    properties = (schema.get("items") or {}).get("properties") or {}
    keys = {}
    for name in schema.get("x-kubernetes-list-map-keys") or []:
        default = (properties.get(name) or {}).get("default")
        if value.get(name, default) is None:
            return None
        keys[name] = value.get(name, default)
    return key_element(keys)


def check_typed(value: Any, schema: Schema | None, path: Path = ()) -> None:
    """Raises TypedPatchError with all problems of an applied object."""
    problems = list(_problems(value, schema, path))
    if problems:
        raise TypedPatchError(
            "; ".join(problems) if len(problems) == 1 else f"errors:\n  {chr(10).join(problems)}"
        )


def _problems(value: Any, schema: Schema | None, path: Path) -> Iterator[str]:
    kind = granularity(schema, value)
    if kind == MAP:
        for name, item in value.items():
            below = (*path, field_element(name))
            if not _accepts(schema, name):
                yield f"{path_text(below)}: field not declared in schema"
            else:
                yield from _problems(item, field_schema(schema, name), below)
    elif kind == LIST:
        yield from _list_problems(value, schema or {}, path)


def _list_problems(value: list[Any], schema: Schema, path: Path) -> Iterator[str]:
    seen = set()
    for element, item in list_items(schema, value):
        if element.startswith("i:"):
            names = ", ".join(f'"{name}"' for name in schema.get("x-kubernetes-list-map-keys") or [])
            yield (
                f"{path_text(path)}: element {element[2:]}: associative list with keys has an element that omits key field {names} "
                "(and doesn't have default value)"
            )
        elif element in seen:
            yield f"{path_text(path)}: duplicate entries for key {path_text((element,))}"
        seen.add(element)
        yield from _problems(item, schema.get("items"), (*path, element))


def _accepts(schema: Schema | None, name: str) -> bool:
    if not schema or schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("additionalProperties"):
        return True
    return is_declared(schema, name) or not schema.get("type")
