"""The JSONPath of printer columns: `.spec.x`, `.a[0]`, `['a.b']`, `.list[*].x`, `..x`, `.conditions[?(@.type=="Ready")].status`.

Source: client-go `util/jsonpath`, the part a column's one expression may use. Missing keys find nothing; they are no error.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Step = Callable[[Any], Iterable[Any]]

_FIELD = re.compile(r"\.?((?:\\.|[^.\[\]\\{}])+)")
_QUOTED = re.compile(r"\[\s*(?:'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\")\s*\]")
_POSITION = re.compile(r"\[\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*\]")
_SLICE = re.compile(r"\[\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(\d+)\s*)?\]")
_FILTER = re.compile(r"\[\?\(\s*@(.*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?))?\s*\)\]")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class JSONPathError(ValueError):
    """The text is no JSONPath this server understands."""


@dataclass(frozen=True)
class JSONPath:
    steps: tuple[Step, ...]

    def find(self, value: Any) -> list[Any]:
        """All values found, in document order; empty when a key is missing on the way."""
        found = [value]
        for step in self.steps:
            found = [result for item in found for result in step(item)]
        return found


@lru_cache(maxsize=1024)
def parse_json_path(text: str) -> JSONPath:
    """With or without the outer braces and the leading `$`. Raises JSONPathError."""
    body = text.strip()
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1].strip()
    return JSONPath(tuple(_steps(body.removeprefix("$"), text)))


def _steps(body: str, whole: str) -> Iterator[Step]:
    position = 0
    while position < len(body):
        if body.startswith("..", position):
            yield _descendants
            position += 1
        if body[position:] in {".", ""}:
            return
        step, position = _step(body, position, whole)
        yield step


def _step(body: str, position: int, whole: str) -> tuple[Step, int]:
    if found := re.compile(r"\.?\*|\.?\[\s*\*\s*\]").match(body, position):
        return _children, found.end()
    if found := _QUOTED.match(body, position):
        return _field(_unescaped(found[1] or found[2] or "")), found.end()
    if found := _POSITION.match(body, position):
        return _positions([int(number) for number in found[1].split(",")]), found.end()
    if found := _SLICE.match(body, position):
        return _slice(*(int(number) if number else None for number in found.groups())), found.end()
    if found := _FILTER.match(body, position):
        return _filter(found[1], found[2], found[3]), found.end()
    if found := _FIELD.match(body, position):
        return _field(_unescaped(found[1])), found.end()
    raise JSONPathError(f"unrecognized character in JSONPath {whole!r} at {body[position : position + 10]!r}")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _field(name: str) -> Step:
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _descendants(value: Any) -> Iterator[Any]:
    yield value
    for item in _children(value):
        yield from _descendants(item)


def _positions(numbers: list[int]) -> Step:
    def step(value: Any) -> list[Any]:
        return [
            value[number]
            for number in numbers
            if isinstance(value, list) and -len(value) <= number < len(value)
        ]

    return step


def _slice(start: int | None, stop: int | None, stride: int | None) -> Step:
    return lambda value: value[start:stop:stride] if isinstance(value, list) else []


def _filter(path: str, sign: str | None, literal: str | None) -> Step:
    inner = parse_json_path(path)
    compare = _COMPARISONS[sign] if sign else None
    wanted = _literal(literal) if literal is not None else None

    def holds(item: Any) -> bool:
        found = inner.find(item)
        if not found or compare is None:
            return bool(found)
        try:
            return compare(found[0], wanted)
        except TypeError:
            return False

    return lambda value: [item for item in _children(value) if holds(item)]


def _literal(text: str) -> Any:
    if text[:1] in {"'", '"'} and text[-1:] == text[:1]:
        return _unescaped(text[1:-1])
    if text in {"true", "false"}:
        return text == "true"
    try:
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except ValueError as error:
        raise JSONPathError(f"cannot read {text!r} in a JSONPath filter") from error
