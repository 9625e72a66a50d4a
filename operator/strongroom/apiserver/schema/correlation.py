"""Which part of an old object is the past of a part of the new one? (apiserver `pkg/cel/common/equality.go`).

Fields and map entries by name, items of lists of type `map` by their keys; items of other lists have no past.
"""

from collections.abc import Mapping
from typing import Any, Final

from strongroom.apiserver.fielderrors import go_json

NO_PAST: Final = object()
"""Stands for an old value that is absent or cannot be found; None is an old value."""


def old_field(schema: Mapping[str, Any], old: Any, name: str) -> Any:
    """The past of a field or map entry."""
    if not isinstance(old, dict) or schema.get("x-kubernetes-map-type") == "atomic":
        return NO_PAST
    return old.get(name, NO_PAST)


def has_identities(schema: Mapping[str, Any]) -> bool:
    """Whether items of the list can be told apart by their keys."""
    return schema.get("x-kubernetes-list-type") == "map"


def old_items(schema: Mapping[str, Any], old: Any) -> dict[str, Any]:
    """Old items by identity; empty for lists whose items have none."""
    if not has_identities(schema) or not isinstance(old, list):
        return {}
    return {item_identity(schema, item): item for item in old}


def item_identity(schema: Mapping[str, Any], item: Any) -> str:
    names = schema.get("x-kubernetes-list-map-keys") or []
    return go_json([item.get(name) for name in names] if isinstance(item, dict) else item)


def is_unchanged(old: Any, new: Any) -> bool:
    """Whether the past is known and is the same value."""
    return old is not NO_PAST and same_value(old, new)


def same_value(one: Any, other: Any) -> bool:
    """Equal as JSON: Python takes True for 1."""
    if one != other or isinstance(one, bool) != isinstance(other, bool):
        return False
    return not isinstance(one, dict | list) or one is other or go_json(one) == go_json(other)
