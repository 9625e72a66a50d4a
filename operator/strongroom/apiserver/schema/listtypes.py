"""No value twice in a list of type `set`, no key twice in a list of type `map` (listtype/validation.go of apiextensions)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from strongroom.apiserver.fielderrors import FieldError, child, duplicate, go_json, index, invalid, key

Schema = dict[str, Any]


def validate_list_types(value: Any, schema: Schema, path: str = "") -> list[FieldError]:
    if isinstance(value, dict):
        return list(_object_errors(value, schema, path))
    if isinstance(value, list):
        return list(_list_errors(value, schema, path))
    return []


def _object_errors(value: dict[str, Any], schema: Schema, path: str) -> Iterator[FieldError]:
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    for name, item in value.items():
        if name in properties:
            yield from validate_list_types(item, properties[name], child(path, name))
        elif isinstance(additional, dict):
            yield from validate_list_types(item, additional, key(path, name))


def _list_errors(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    list_type = schema.get("x-kubernetes-list-type")
    if list_type == "set":
        yield from (duplicate(index(path, position), value[position]) for position in _repeated(value))
    elif list_type == "map":
        yield from _map_errors(value, schema.get("x-kubernetes-list-map-keys") or [], path)
    items = schema.get("items")
    if items:
        for position, item in enumerate(value):
            yield from validate_list_types(item, items, index(path, position))


def _map_errors(value: list[Any], key_names: list[str], path: str) -> Iterator[FieldError]:
    for position, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            yield invalid(index(path, position), item, "must be an object for an array of list-type map")
            return
    keys = [{name: item[name] for name in key_names if name in (item or {})} for item in value]
    yield from (duplicate(index(path, position), keys[position]) for position in _repeated(keys))


def _repeated(values: list[Any]) -> list[int]:
    """Positions of the second appearance of each value; later ones are not reported again."""
    seen: Counter[str] = Counter()
    positions = []
    for position, value in enumerate(values):
        text = go_json(value)
        seen[text] += 1
        if seen[text] == 2:
            positions.append(position)
    return positions
