"""Fields of a resource that this version does not know: a newer CustomResourceDefinition lets them through, and they ask for something."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

MOST = 8


def find_unknown(model: type[BaseModel], value: Any, root: str = "spec") -> tuple[str, ...]:
    """Paths such as `spec.sources[].postgres.fast`, the first few; empty where the whole value is known."""
    return tuple(dict.fromkeys(_walk(model, value, root)))[:MOST]


def _walk(model: type[BaseModel], value: Any, path: str) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _walk(model, item, f"{path}[]")]
    if not isinstance(value, Mapping):
        return []
    known = _known_fields(model)
    found = []
    for name, inner in value.items():
        if name not in known:
            found.append(f"{path}.{name}")
        elif (below := known[name]) is not None:
            found += _walk(below, inner, f"{path}.{name}")
    return found


@cache
def _known_fields(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """API names of a model's fields, and the model in each."""
    return {info.alias or name: find_model(info.annotation) for name, info in model.model_fields.items()}


def find_model(annotation: Any) -> type[BaseModel] | None:
    """The model in a field's type, such as `list[Source] | None`; None if it has none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    return next((found for argument in arguments if (found := find_model(argument)) is not None), None)
