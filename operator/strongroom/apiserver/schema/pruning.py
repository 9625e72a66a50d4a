"""Drop what the schema does not declare, and name what was dropped (pruning/algorithm.go of apiextensions)."""

from typing import Any

from strongroom.apiserver.fielderrors import child, index

Schema = dict[str, Any]

_META_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


def prune(value: Any, schema: Schema) -> tuple[Any, list[str]]:
    """Returns the kept part of a whole object and the paths of unknown fields, such as `spec.stores[0].zork`.

    `apiVersion`, `kind` and `metadata` always stay, at the root and in embedded resources.
    """
    unknown: list[str] = []
    kept = _Pruning(unknown).keep(value, {**schema, "x-kubernetes-embedded-resource": True}, "")
    return kept, unknown


class _Pruning:
    def __init__(self, unknown: list[str]) -> None:
        self._unknown = unknown

    def keep(self, value: Any, schema: Schema | None, path: str) -> Any:
        preserve = bool(schema and schema.get("x-kubernetes-preserve-unknown-fields"))
        if isinstance(value, dict):
            return self._keep_object(value, schema or {}, path, preserve=preserve)
        if isinstance(value, list):
            # Inside preserved lists only what is declared further down is pruned again, so the items inherit the mark.
            items = (schema or {}).get("items")
            if preserve:
                items = {**(items or {}), "x-kubernetes-preserve-unknown-fields": True}
            return [self.keep(item, items, index(path, position)) for position, item in enumerate(value)]
        return value

    def _keep_object(
        self, value: dict[str, Any], schema: Schema, path: str, *, preserve: bool
    ) -> dict[str, Any]:
        embedded = schema.get("x-kubernetes-embedded-resource", False)
        properties = schema.get("properties") or {}
        additional = schema.get("additionalProperties", False)
        kept = {}
        for name, item in value.items():
            if embedded and name in _META_FIELDS:
                kept[name] = item
            elif name in properties:
                kept[name] = self.keep(item, properties[name], child(path, name))
            elif additional is not False:
                kept[name] = self.keep(
                    item, additional if isinstance(additional, dict) else None, child(path, name)
                )
            elif preserve:
                kept[name] = item
            else:
                self._unknown.append(child(path, name))
        return kept
