"""Field errors as the API server words them: the causes of a 422 answer.

Each function is one constructor of k8s.io/apimachinery `field.Error` (texts of release 1.35) and returns the finished cause.
`path` is the dotted path as the server prints it: `spec.stores[0].name`, `metadata.labels[a/b]`; empty for the whole object, which
Go prints as `<nil>`.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False)

OMITTED = object()
"""Pass as `value` when the message must not show one."""


@dataclass(frozen=True)
class FieldError:
    """One cause: `field` and `message` go to the client as they are, `type` is the cause's reason."""

    field: str
    type: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def invalid(path: str, value: Any, detail: str = "") -> FieldError:
    return _error(path, "FieldValueInvalid", _body("Invalid value", value, detail))


def type_invalid(path: str, value: Any, detail: str = "") -> FieldError:
    return _error(path, "FieldValueTypeInvalid", _body("Invalid value", value, detail))


def required(path: str, detail: str = "") -> FieldError:
    return _error(path, "FieldValueRequired", _body("Required value", OMITTED, detail))


def duplicate(path: str, value: Any) -> FieldError:
    return _error(path, "FieldValueDuplicate", _body("Duplicate value", value, ""))


def not_found(path: str, value: Any) -> FieldError:
    return _error(path, "FieldValueNotFound", _body("Not found", value, ""))


def not_supported(path: str, value: Any, supported: Sequence[Any]) -> FieldError:
    """`supported` is printed in the order given; strings are quoted as they are, other values by their Go text."""
    listed = ", ".join(go_quote(item if isinstance(item, str) else go_text(item)) for item in supported)
    detail = f"supported values: {listed}" if supported else ""
    return _error(path, "FieldValueNotSupported", _body("Unsupported value", value, detail))


def forbidden(path: str, detail: str = "") -> FieldError:
    return _error(path, "FieldValueForbidden", _body("Forbidden", OMITTED, detail))


def too_long(path: str, max_bytes: int) -> FieldError:
    unit = "byte" if max_bytes == 1 else "bytes"
    return _error(
        path, "FieldValueTooLong", _body("Too long", OMITTED, f"may not be more than {max_bytes} {unit}")
    )


def too_many(path: str, actual: int, maximum: int) -> FieldError:
    unit = "item" if maximum == 1 else "items"
    return _error(path, "FieldValueTooMany", _body("Too many", actual, f"must have at most {maximum} {unit}"))


def internal(path: str, detail: str) -> FieldError:
    return _error(path, "InternalError", _body("Internal error", OMITTED, detail))


def invalid_message(subject: str, errors: Sequence[FieldError]) -> str:
    """The Status message: `Widget.demo.dev "a" is invalid: …`, where `subject` is the part before ` is invalid`."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return f"{subject} is invalid: {listed}"


def child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def index(path: str, position: int) -> str:
    return f"{path}[{position}]"


def key(path: str, name: str) -> str:
    return f"{path}[{name}]"


def go_text(value: Any) -> str:
    """A value as Go's `%v` prints it: numbers in shortest form (1e+06), booleans in lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_float(value)
    if isinstance(value, int | str):
        return str(value)
    return go_json(value)


def go_json(value: Any) -> str:
    """Compact JSON with sorted keys, as Go's encoder writes maps."""
    return _ENCODER.encode(value)


def go_quote(text: str) -> str:
    """Go's `%q`: double quotes, printable characters as they are, the others escaped."""
    return '"' + "".join(_quoted_character(character) for character in text) + '"'


_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def _quoted_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _go_float(value: float) -> str:
    if not math.isfinite(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    mantissa, exponent_text = f"{Decimal(repr(value)).normalize():e}".split("e")
    exponent = int(exponent_text)
    if -4 <= exponent < 6:  # outside, Go's shortest %g changes to the form with an exponent
        return f"{Decimal(repr(value)).normalize():f}"
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _body(kind: str, value: Any, detail: str) -> str:
    text = kind
    if value is not OMITTED:
        text += f": {go_quote(value) if isinstance(value, str) else go_text(value)}"
    return f"{text}: {detail}" if detail else text


def _error(path: str, kind: str, message: str) -> FieldError:
    return FieldError(path or "<nil>", kind, message)
