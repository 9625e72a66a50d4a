"""What does an object own, and what changed between two?

Source: structured-merge-diff `typed/tofieldset.go` and `typed/compare.go`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from strongroom.apiserver.managedfields.paths import Path, Paths, field_element
from strongroom.apiserver.managedfields.typing import (
    LEAF,
    LIST,
    MAP,
    Schema,
    field_schema,
    granularity,
    is_declared,
    list_items,
)
from strongroom.apiserver.schema.correlation import same_value

ABSENT: Final = object()


def field_set(value: Any, schema: Schema | None) -> Paths:
    """The paths that applying `value` takes: leaves, list items, keys of maps, empty maps."""
    return frozenset(_members(value, schema, ()))


def _members(value: Any, schema: Schema | None, path: Path) -> Iterator[Path]:
    kind = granularity(schema, value)
    if kind == MAP:
        for name, item in value.items():
            below = (*path, field_element(name))
            if item is None or item == {} or not is_declared(schema, name):
                yield below
            yield from _members(item, field_schema(schema, name), below)
    elif kind == LIST:
        for element, item in list_items(schema, value):
            yield (*path, element)
            yield from _members(item, (schema or {}).get("items"), (*path, element))
    elif path:
        yield path


@dataclass(frozen=True)
class Comparison:
    added: Paths
    modified: Paths
    removed: Paths

    @property
    def is_same(self) -> bool:
        return not (self.added or self.modified or self.removed)


@dataclass
class _Changes:
    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(old: Any, new: Any, schema: Schema | None) -> Comparison:
    """Containers count as added or removed with all their parts when only one side has them."""
    changes = _Changes()
    _walk(old, new, schema, (), changes)
    return Comparison(
        *(frozenset(paths - {()}) for paths in (changes.added, changes.modified, changes.removed))
    )


def _walk(old: Any, new: Any, schema: Schema | None, path: Path, changes: _Changes) -> None:
    kinds = {granularity(schema, value) for value in (old, new) if value is not ABSENT and value is not None}
    if len(kinds) > 1:
        # The type changed (only where it is deduced): the place is modified, the parts go and come.
        changes.modified.add(path)
        for before, after in ((old, ABSENT), (ABSENT, new)):
            if granularity(schema, before) != LEAF:
                _walk_parts(before, after, schema, path, changes)
        return
    if kinds in ({MAP}, {LIST}) and (_filled(old) or _filled(new)):
        _walk_parts(old, new, schema, path, changes)
        if old is ABSENT:
            changes.added.add(path)
        elif new is ABSENT:
            changes.removed.add(path)
        return
    if old is ABSENT:
        changes.added.add(path)
    elif new is ABSENT:
        changes.removed.add(path)
    elif not same_value(old, new):
        changes.modified.add(path)


def _filled(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _walk_parts(old: Any, new: Any, schema: Schema | None, path: Path, changes: _Changes) -> None:
    if isinstance(old, dict) or isinstance(new, dict):
        olds = old if isinstance(old, dict) else {}
        news = new if isinstance(new, dict) else {}
        for name in {**olds, **news}:
            below = (*path, field_element(name))
            _walk(olds.get(name, ABSENT), news.get(name, ABSENT), field_schema(schema, name), below, changes)
        return
    old_items = dict(list_items(schema, old if isinstance(old, list) else []))
    new_items = dict(list_items(schema, new if isinstance(new, list) else []))
    for element in {**old_items, **new_items}:
        before, after = old_items.get(element, ABSENT), new_items.get(element, ABSENT)
        _walk(before, after, (schema or {}).get("items"), (*path, element), changes)
