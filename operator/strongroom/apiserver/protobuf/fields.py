"""From wire values to JSON values, by a table of fields.

Go writes every plain field, empty ones too, and JSON leaves empty ones out; so an empty value is dropped unless the field is a
pointer in Go (`pointer=True`), for which presence means something. Empty messages stay, as empty structs do in JSON.
"""

import base64
import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from strongroom.apiserver.protobuf.wire import WireValue, read_fields, signed

Decode = Callable[[WireValue], Any]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Field:
    """`entry` is set for maps: decodes a value of the map."""

    name: str
    decode: Decode
    repeated: bool = False
    pointer: bool = False
    entry: Decode | None = None


Message = Mapping[int, Field]


def decode_message(data: bytes, fields: Message) -> dict[str, Any]:
    """Fields without an entry in the table are skipped: they come from a newer client."""
    decoded: dict[str, Any] = {}
    for number, value in read_fields(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.entry:
            key, item = _decode_entry(value, field.entry)
            decoded.setdefault(field.name, {})[key] = item
        elif field.repeated:
            decoded.setdefault(field.name, []).append(field.decode(value))
        elif (item := field.decode(value)) not in (None, "", 0, False, b"") or field.pointer:
            decoded[field.name] = item
    return decoded


def _decode_entry(value: WireValue, decode: Decode) -> tuple[str, Any]:
    parts = dict(read_fields(_bytes(value)))
    return _text(parts.get(1, b"")), decode(parts.get(2, b""))


def text(name: str, *, pointer: bool = False) -> Field:
    return Field(name, _text, pointer=pointer)


def whole(name: str, *, pointer: bool = False) -> Field:
    return Field(name, lambda value: signed(_int(value)), pointer=pointer)


def flag(name: str, *, pointer: bool = False) -> Field:
    return Field(name, lambda value: bool(_int(value)), pointer=pointer)


def raw(name: str) -> Field:
    return Field(name, _bytes)


def moment(name: str) -> Field:
    """metav1.Time: whole seconds."""
    return Field(name, lambda value: _moment(_bytes(value), "seconds"))


def micro_moment(name: str) -> Field:
    """metav1.MicroTime: six digits."""
    return Field(name, lambda value: _moment(_bytes(value), "microseconds"))


def one(name: str, fields: Message, *, pointer: bool = False) -> Field:
    return Field(name, lambda value: decode_message(_bytes(value), fields), pointer=pointer)


def many(field: Field) -> Field:
    return replace(field, repeated=True)


def text_map(name: str) -> Field:
    return Field(name, _text, entry=_text)


def bytes_map(name: str) -> Field:
    """Values in base64, as JSON has them."""
    return Field(name, _text, entry=lambda value: base64.b64encode(_bytes(value)).decode("ascii"))


def embedded_json(name: str) -> Field:
    """FieldsV1: a message whose only field is JSON text."""
    return Field(name, lambda value: json.loads(_bytes(dict(read_fields(_bytes(value))).get(1, b"{}"))))


def _int(value: WireValue) -> int:
    if not isinstance(value, int):
        raise ValueError("proto: wrong wireType, expected a number")  # noqa: TRY004 - a broken body, not a programming error
    return value


def _bytes(value: WireValue) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("proto: wrong wireType, expected bytes")  # noqa: TRY004 - as above
    return value


def _text(value: WireValue) -> str:
    return _bytes(value).decode("utf-8")


def _moment(data: bytes, timespec: str) -> str | None:
    """The zero time is an empty message."""
    parts = dict(read_fields(data))
    if not parts:
        return None
    seconds, nanoseconds = signed(_int(parts.get(1, 0))), signed(_int(parts.get(2, 0)))
    try:
        at = _EPOCH + dt.timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    except OverflowError as error:
        raise ValueError("proto: time is out of range") from error
    return at.isoformat(timespec=timespec).replace("+00:00", "Z")
