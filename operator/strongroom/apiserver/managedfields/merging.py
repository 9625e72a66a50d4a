"""Lay an applied object over the live one, and take fields away.

Source: structured-merge-diff `typed/merge.go` and `typed/remove.go`.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from strongroom.apiserver.managedfields.paths import Path, field_element
from strongroom.apiserver.managedfields.typing import LIST, MAP, Schema, field_schema, granularity, list_items


def merge(live: Any, applied: Any, schema: Schema | None) -> Any:
    """A new value: granular maps and lists part by part, all else as applied."""
    kind = granularity(schema, applied)
    if kind == MAP and isinstance(live, dict):
        merged = dict(live)
        for name, item in applied.items():
            merged[name] = merge(live[name], item, field_schema(schema, name)) if name in live else item
        return merged
    if kind == LIST and isinstance(live, list):
        return _merge_lists(live, applied, schema or {})
    return applied


def _merge_lists(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    """The applied order leads; items that only the live list has keep their place between their neighbours."""
    items = schema.get("items")
    lives, applieds = list_items(schema, live), list_items(schema, applied)
    live_by_element, applied_elements = dict(lives), {element for element, _ in applieds}
    shared = [element for element, _ in applieds if element in live_by_element]
    merged: list[Any] = []
    left = right = 0
    while left < len(lives) or right < len(applieds):
        if left < len(lives):
            element, item = lives[left]
            if element not in applied_elements:
                merged.append(item)
                left += 1
                continue
            if right < len(applieds) and element == applieds[right][0]:
                left += 1
            elif right >= len(applieds) or (shared and shared[0] != element):
                # A shared item out of turn: it comes where the applied order has it.
                left += 1
                continue
        if right < len(applieds):
            element, item = applieds[right]
            merged.append(
                merge(live_by_element[element], item, items) if element in live_by_element else item
            )
            if shared and shared[0] == element:
                shared.pop(0)
            right += 1
    return merged


def remove(value: Any, paths: Iterable[Path], schema: Schema | None) -> Any:
    """Without the named parts; what contained them stays, empty at last, unless it is named too."""
    below: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        below[path[0]].append(path[1:])
    kind = granularity(schema, value)
    if kind == MAP:
        kept = {}
        for name, item in value.items():
            suffixes = below.get(field_element(name))
            result = _removed(item, suffixes, field_schema(schema, name))
            if result is not _GONE:
                kept[name] = result
        return kept
    if kind == LIST:
        items = (schema or {}).get("items")
        results = [_removed(item, below.get(element), items) for element, item in list_items(schema, value)]
        return [result for result in results if result is not _GONE]
    return value


_GONE: Any = object()


def _removed(item: Any, suffixes: list[Path] | None, schema: Schema | None) -> Any:
    if not suffixes:
        return item
    if () in suffixes:
        return _GONE
    return remove(item, suffixes, schema)
