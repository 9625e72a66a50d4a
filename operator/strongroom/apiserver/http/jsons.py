"""JSON that notices duplicate keys."""

import json
from typing import Any

from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.documents import Building, Document, below


def decode_json(raw: bytes) -> Document:
    """Parse a JSON body. Raises 400."""
    try:
        text = raw.decode()
        marked = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
        building = Building()
        value = _build(marked, "", 0, building)
    except (ValueError, RecursionError) as error:
        raise statuses.bad_request(f"error decoding request body: {error}") from error
    # A lone surrogate is legal in JSON and illegal in UTF-8: Go replaces it, and so do we.
    cleaned = _without_surrogates(value) if "\\ud" in text.lower() else value
    return Document(cleaned, tuple(building.problems))


class _Pairs(list[tuple[str, Any]]):
    """A JSON object before its duplicate keys are lost."""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def _build(value: Any, path: str, depth: int, building: Building) -> Any:
    building.enter(depth)
    if isinstance(value, _Pairs):
        result: dict[str, Any] = {}
        for key, item in value:
            where = below(path, key)
            building.put(result, key, _build(item, where, depth + 1, building), where)
        return result
    if isinstance(value, list):
        return [_build(item, f"{path}[{n}]", depth + 1, building) for n, item in enumerate(value)]
    return building.number(value)


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
