"""Walk a value beside its schema and its old value, and let every rule on the way judge.

Transition rules need the old value of the same place: it is found under the same key of an object or map, and under the same keys of an
item in a list of type `map`; items of other lists have no past. What did not change is not judged again by rules that look
at the present only (ratcheting).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from strongroom.apiserver.cel.rules import Rule, RuleError, Subject, compile_node_rules
from strongroom.apiserver.cel.values import cel_value
from strongroom.apiserver.fielderrors import FieldError, child, index, key
from strongroom.apiserver.schema.correlation import (
    NO_PAST,
    has_identities,
    is_unchanged,
    item_identity,
    old_field,
    old_items,
)

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class _Node:
    schema: Schema
    rules: tuple[Rule, ...]
    properties: Mapping[str, "_Node"] = field(default_factory=dict)
    additional: "_Node | None" = None
    items: "_Node | None" = None


@dataclass(frozen=True)
class _Past:
    """The old value of a place, or NO_PAST; `unchanged` when it or something around it is as it was."""

    value: Any = NO_PAST
    unchanged: bool = False

    def below(self, old: Any, new: Any) -> "_Past":
        return _Past(old, unchanged=self.unchanged or is_unchanged(old, new))


@dataclass(frozen=True)
class CompiledRules:
    root: _Node | None

    def validate(self, new: Any, old: Any | None = None) -> list[FieldError]:
        """All refusals of an object that its schema has accepted; `old` is the stored object on an update."""
        if self.root is None:
            return []
        past = _Past().below(NO_PAST if old is None else old, new)
        return list(_refusals(self.root, new, past, "", is_root=True))


def compile_rules(schema: Schema) -> CompiledRules:
    """All rules of a CRD version's schema. Raises RuleError naming every rule that cannot be used."""
    problems: list[str] = []
    root = _compiled_node(schema, "openAPIV3Schema", correlatable=True, problems=problems)
    if problems:
        raise RuleError(problems)
    return CompiledRules(root)


def _compiled_node(schema: Schema, path: str, *, correlatable: bool, problems: list[str]) -> _Node | None:
    """None when there is no rule at or below the node."""
    below = correlatable and schema.get("x-kubernetes-map-type") != "atomic"
    properties = {
        name: node
        for name, part in (schema.get("properties") or {}).items()
        if (node := _compiled_node(part, f"{path}.properties[{name}]", correlatable=below, problems=problems))
    }
    additional = schema.get("additionalProperties")
    items = schema.get("items")
    node = _Node(
        schema,
        compile_node_rules(schema, path, correlatable=correlatable, problems=problems),
        properties,
        _compiled_node(additional, f"{path}.additionalProperties", correlatable=below, problems=problems)
        if isinstance(additional, dict)
        else None,
        _compiled_node(
            items, f"{path}.items", correlatable=correlatable and has_identities(schema), problems=problems
        )
        if items
        else None,
    )
    return node if node.rules or node.properties or node.additional or node.items else None


def _refusals(
    node: _Node, value: Any, past: _Past, path: str, *, is_root: bool = False
) -> Iterator[FieldError]:
    if value is None:
        return
    rules = [rule for rule in node.rules if rule.uses_old_self or not past.unchanged]
    if rules:
        subject = _subject(node, value, past, is_root=is_root)
        for rule in rules:
            if refusal := rule.judge(subject, node.schema, path):
                yield refusal
    if isinstance(value, dict):
        yield from _object_refusals(node, value, past, path)
    elif isinstance(value, list) and node.items:
        olds = old_items(node.schema, past.value)
        for position, item in enumerate(value):
            old = olds.get(item_identity(node.schema, item), NO_PAST) if olds else NO_PAST
            yield from _refusals(node.items, item, past.below(old, item), index(path, position))


def _subject(node: _Node, value: Any, past: _Past, *, is_root: bool) -> Subject:
    has_old = past.value is not NO_PAST and past.value is not None
    old = cel_value(past.value, node.schema, is_root=is_root) if has_old else None
    return Subject(value, cel_value(value, node.schema, is_root=is_root), old, has_old)


def _object_refusals(node: _Node, value: dict[str, Any], past: _Past, path: str) -> Iterator[FieldError]:
    for name, item in value.items():
        below = past.below(old_field(node.schema, past.value, name), item)
        if name in node.properties:
            yield from _refusals(node.properties[name], item, below, child(path, name))
        elif node.additional and name not in (node.schema.get("properties") or {}):
            yield from _refusals(node.additional, item, below, key(path, name))
