"""Is a schema structural, and can this server evaluate it? Asked once, when a CRD is loaded."""

from collections.abc import Iterator
from typing import Any

from strongroom.apiserver.schema.patterns import UnsupportedPatternError, compile_pattern

Schema = dict[str, Any]

_FORBIDDEN = (
    "$ref",
    "definitions",
    "dependencies",
    "patternProperties",
    "additionalItems",
    "deprecated",
    "discriminator",
    "id",
)


def check_structural(schema: Schema, path: str = "openAPIV3Schema") -> list[str]:
    """What keeps the schema from being served, as `path: problem`; empty when nothing does."""
    return list(_problems(schema, path))


def _problems(schema: Schema, path: str) -> Iterator[str]:
    typeless = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and not typeless:
        yield f"{path}.type: Required value: must not be empty for specified object fields"
    yield from (
        f"{path}.{name}: Forbidden: not allowed in a structural schema"
        for name in _FORBIDDEN
        if name in schema
    )
    if schema.get("uniqueItems"):
        yield f"{path}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{path}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"
    try:
        compile_pattern(schema.get("pattern", ""))
    except UnsupportedPatternError as error:
        yield f"{path}.pattern: Invalid value: {error}"
    for name, child in (schema.get("properties") or {}).items():
        yield from _problems(child, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _problems(schema[name], f"{path}.{name}")
