"""A JSON value as CEL sees it: names escaped, texts of a temporal format as durations and timestamps, bytes decoded.

Differs from the real server in one point: lists of type `set` and `map` compare in order here.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from strongroom.apiserver.cel.names import escaped
from strongroom.apiserver.schema.formats import parse_date, parse_date_time, parse_duration

Schema = Mapping[str, Any]

_VISIBLE_METADATA = ("name", "generateName")


def cel_value(value: Any, schema: Schema, *, is_root: bool = False) -> Any:
    """`is_root` marks a whole object: of its metadata, rules see the name only."""
    if isinstance(value, dict):
        visible = (
            _with_visible_metadata(value)
            if is_root or schema.get("x-kubernetes-embedded-resource")
            else value
        )
        return _cel_object(visible, schema)
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [cel_value(item, items) for item in value]
    convert = _CONVERSIONS.get(schema.get("format", "")) if isinstance(value, str) else None
    return convert(value) if convert else value


def _with_visible_metadata(value: dict[str, Any]) -> dict[str, Any]:
    metadata = value.get("metadata") or {}
    return {**value, "metadata": {name: metadata[name] for name in _VISIBLE_METADATA if name in metadata}}


def _cel_object(value: dict[str, Any], schema: Schema) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    rest = additional if isinstance(additional, dict) else {}
    return {
        escaped(name) if name in properties else name: cel_value(item, properties.get(name, rest))
        for name, item in value.items()
    }


def _duration(text: str) -> Any:
    length = parse_duration(text)
    if length is None:
        return text
    message = Duration()
    message.FromTimedelta(length)
    return message


def _timestamp(text: str) -> Any:
    moment = parse_date_time(text) or parse_date(text)
    if moment is None:
        return text
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def _decoded(text: str) -> Any:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text


_CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "byte": _decoded,
    "date": _timestamp,
    "date-time": _timestamp,
    "datetime": _timestamp,
    "duration": _duration,
}
