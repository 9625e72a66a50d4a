"""Does a rule name fields that exist? The library takes `self` as any value; the real server knows its type and refuses `self.zork`.

Only plain chains such as `self.spec.size` or `oldSelf.?a.b` are followed, down to the first call, index, list or free-form part.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from strongroom.apiserver.cel.names import escaped

Schema = Mapping[str, Any]

_CHAIN = re.compile(r"(?<![\w.])(?:self|oldSelf)((?:\.\??[A-Za-z_]\w*)+)\s*(\()?")
_CLOSED = frozenset({"object", "string", "integer", "number", "boolean"})
_METADATA: Schema = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}
_ROOT_FIELDS = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _METADATA}


def undefined_fields(source: str, schema: Schema, *, is_root: bool = False) -> list[str]:
    """Names in `source` (string literals cut out) that the schema does not declare."""
    known = (
        {**schema, "properties": {**(schema.get("properties") or {}), **_ROOT_FIELDS}} if is_root else schema
    )
    return list(dict.fromkeys(_undefined(source, known)))


def _undefined(source: str, schema: Schema) -> Iterator[str]:
    for chain in _CHAIN.finditer(source):
        names = re.findall(r"\w+", chain[1])
        node: Schema | None = schema
        for name in names[:-1] if chain[2] else names:
            if node is None or node.get("x-kubernetes-preserve-unknown-fields"):
                break
            fields = {escaped(field): part for field, part in (node.get("properties") or {}).items()}
            additional = node.get("additionalProperties")
            if not fields and (additional or node.get("type") not in _CLOSED):
                node = additional if isinstance(additional, dict) else None
                continue
            if name not in fields:
                yield name
                break
            node = fields[name]
