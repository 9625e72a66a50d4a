"""Paths of fields, sets of them, and their form on the wire (FieldsV1).

A path is a tuple of elements as FieldsV1 writes them: `f:name` (field or map key), `k:{"name":"a"}` (list item by its keys), `v:"x"`
(value in a set), `i:0` (position).
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from strongroom.apiserver.fielderrors import go_json

Path = tuple[str, ...]
Paths = frozenset[Path]

NONE: Paths = frozenset()


def field_element(name: str) -> str:
    return f"f:{name}"


def key_element(keys: dict[str, Any]) -> str:
    return f"k:{go_json(keys)}"


def value_element(value: Any) -> str:
    return f"v:{go_json(value)}"


def parse_fields(fields: Any) -> Paths:
    """FieldsV1 to paths. Raises ValueError when it is not FieldsV1."""
    return frozenset(_parsed(fields, ()))


def _parsed(node: Any, path: Path) -> Iterator[Path]:
    if not isinstance(node, dict):
        raise ValueError("FieldsV1 must be an object")  # noqa: TRY004 - bad input of a client, not a programming error
    if path and (not node or "." in node):
        yield path
    for element, child in node.items():
        if element != ".":
            yield from _parsed(child, (*path, _canonical(element)))


def _canonical(element: str) -> str:
    kind, colon, rest = element.partition(":")
    if not colon or kind not in {"f", "k", "v", "i"}:
        raise ValueError(f"unknown path element {element!r} in FieldsV1")
    return element if kind in {"f", "i"} else f"{kind}:{go_json(json.loads(rest))}"


def build_fields(paths: Iterable[Path]) -> dict[str, Any]:
    """Paths to FieldsV1, in a fixed order."""
    root: dict[str, Any] = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return {element: _without_lone_dot(child) for element, child in root.items()}


def _without_lone_dot(node: dict[str, Any]) -> dict[str, Any]:
    if set(node) == {"."}:
        return {}
    return {element: _without_lone_dot(child) if element != "." else {} for element, child in node.items()}


def path_text(path: Path) -> str:
    """As in conflicts: `.spec.list[name="a"].x`."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    kind, _, rest = element.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        return f"[{','.join(f'{name}={go_json(value)}' for name, value in sorted(json.loads(rest).items()))}]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"


def with_named_parents(paths: Paths) -> Paths:
    """The set with every named field that contains a member: removing all of a field's parts removes the field."""
    parents = {path[:end] for path in paths for end in range(1, len(path)) if path[end - 1].startswith("f:")}
    return paths | parents
