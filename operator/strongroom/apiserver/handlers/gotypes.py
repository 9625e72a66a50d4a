"""What Go's decoder cannot put into its structs: values of another JSON type than the schema's. Such a body is unreadable, not invalid."""

from collections.abc import Iterator, Mapping
from typing import Any

from strongroom.apiserver.fielderrors import child, index

_WORDS: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def find_mistyped(value: Any, schema: Mapping[str, Any], kind: str) -> str:
    """The decoder's complaint about the first value of a wrong type; empty when there is none."""
    for path, found, wanted in _mistyped(value, schema, ""):
        return f"json: cannot unmarshal {found} into Go struct field {kind}.{path} of type {wanted}"
    return ""


def _mistyped(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    wanted = schema.get("type", "")
    accepted = _ACCEPTED.get(wanted)
    if value is None or accepted is None:
        return
    # A boolean is an int to Python and not to Go.
    if not isinstance(value, accepted) or (isinstance(value, bool) and wanted != "boolean"):
        yield path, _WORDS[type(value)], wanted
    elif isinstance(value, dict):
        yield from _mistyped_fields(value, schema, path)
    elif isinstance(value, list):
        items = schema.get("items") or {}
        for position, item in enumerate(value):
            if item is None and items.get("type") in _ACCEPTED:
                # Go would put an empty value there; that helps nobody, and nobody sends it.
                yield index(path, position), "null", items["type"]
            yield from _mistyped(item, items, index(path, position))


def _mistyped_fields(
    value: dict[str, Any], schema: Mapping[str, Any], path: str
) -> Iterator[tuple[str, str, str]]:
    properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, item in value.items():
        below = properties.get(name, rest if isinstance(rest, dict) else {})
        yield from _mistyped(item, below, child(path, name))
