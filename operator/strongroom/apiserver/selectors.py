"""Label and field selectors: text to predicate, with the server's words for what it cannot read.

Sources: apimachinery `pkg/labels/selector.go` and `pkg/fields/selector.go`.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.apiserver.objectmeta import label_name_problems, label_value_problems

LabelSelector = Callable[[Mapping[str, str]], bool]
FieldSelector = Callable[[Mapping[str, str]], bool]

_SIGNS = frozenset({"=", "==", "!=", "<", ">", "!", "(", ")", ","})
_WORD = re.compile(r"[^\s,()=!<>]+")
_LABEL_TOKENS = re.compile(r"\s*(==|!=|[=<>!(),]|[^\s,()=!<>]+)")


@dataclass(frozen=True)
class Requirement:
    """One clause of a label selector; `operator` is one of `= == != in notin exists ! gt lt`."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def __call__(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if self.operator in {"!=", "notin"}:
            return value is None or value not in self.values
        if self.operator in {"gt", "lt"}:
            return self._compares(value)
        return value is not None and value in self.values

    def _compares(self, value: str | None) -> bool:
        if value is None or not re.fullmatch(r"[+-]?\d+", value, re.ASCII):
            return False
        (bound,) = self.values
        return int(value) > int(bound) if self.operator == "gt" else int(value) < int(bound)


def parse_label_selector(text: str) -> LabelSelector:
    """`a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`; empty selects all. Raises ValueError with the text the server would send."""
    requirements = _Parser(text).requirements()
    return lambda labels: all(requirement(labels) for requirement in requirements)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _LABEL_TOKENS.findall(text)
        self._position = 0

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        if self._peek() in _SIGNS - {"!"}:
            raise ValueError(f"found '{self._peek()}', expected: !, identifier, or 'end of string'")
        while self._peek():
            try:
                found.append(self._requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from error
            separator = self._next()
            if separator not in {"", ","}:
                raise ValueError(f"found '{separator}', expected: ',' or 'end of string'")
            if separator and (not self._peek() or self._peek() in _SIGNS - {"!"}):
                raise ValueError(f"found '{self._peek()}', expected: identifier after ','")
        return found

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next()
            return Requirement(self._key(), "!")
        key = self._key()
        sign = self._peek()
        if sign in {"", ","}:
            return Requirement(key, "exists")
        self._next()
        if sign in {"in", "notin"}:
            return Requirement(key, sign, self._values_in_brackets(key))
        if sign in {"=", "==", "!="}:
            return Requirement(key, sign, frozenset({self._value(key)}))
        if sign in {">", "<"}:
            return Requirement(key, "gt" if sign == ">" else "lt", frozenset({self._number()}))
        raise ValueError(f"found '{sign}', expected: in, notin, =, ==, !=, gt, lt")

    def _key(self) -> str:
        key = self._next()
        if not _WORD.fullmatch(key):
            raise ValueError(f"found '{key}', expected: !, identifier, or 'end of string'")
        if problems := label_name_problems(key):
            raise ValueError(f'<nil>: Invalid value: "{key}": {"; ".join(problems)}')
        return key

    def _value(self, key: str) -> str:
        if self._peek() in {"", ","}:
            return ""
        value = self._next()
        if not _WORD.fullmatch(value):
            raise ValueError(f"found '{value}', expected: identifier")
        if problems := label_value_problems(value):
            raise ValueError(f'values[0][{key}]: Invalid value: "{value}": {"; ".join(problems)}')
        return value

    def _number(self) -> str:
        value = self._next()
        if not re.fullmatch(r"[+-]?\d+", value, re.ASCII):
            raise ValueError(
                f"values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        return value

    def _values_in_brackets(self, key: str) -> frozenset[str]:
        if (opening := self._next()) != "(":
            raise ValueError(f"found '{opening}' expected: '('")
        values = set()
        while True:
            values.add(self._value(key) if self._peek() != ")" else "")
            separator = self._next()
            if separator == ")":
                return frozenset(values)
            if separator != ",":
                raise ValueError(f"found '{separator}', expected: ',' or ')'")


@dataclass(frozen=True)
class FieldRequirement:
    field: str
    value: str
    negated: bool

    def __call__(self, fields: Mapping[str, str]) -> bool:
        return (fields.get(self.field, "") == self.value) is not self.negated


def parse_field_selector(text: str, supported: Collection[str]) -> FieldSelector:
    """`metadata.name=a,type!=b` over the fields named in `supported`; a missing field counts as the empty text.

    Raises ValueError: `field label not supported: spec.x`, or the text for what cannot be read.
    """
    requirements = field_requirements(text)
    for requirement in requirements:
        if requirement.field not in supported:
            raise ValueError(f"field label not supported: {requirement.field}")
    return lambda fields: all(requirement(fields) for requirement in requirements)


def field_requirements(text: str) -> list[FieldRequirement]:
    """The clauses as data, so that `metadata.name=a` can become a direct look-up."""
    return [_field_requirement(term, text) for term in re.split(r"(?<!\\),", text) if term]


def _field_requirement(term: str, whole: str) -> FieldRequirement:
    found = re.match(r"([^=!]*)(!=|==|=)(.*)", term, re.DOTALL)
    if not found:
        raise ValueError(f"invalid selector: '{whole}'; can't understand '{term}'")
    value = re.sub(r"\\([\\,=])", r"\1", found[3])
    return FieldRequirement(found[1], value, negated=found[2] == "!=")


def field_text(value: Any) -> str:
    """A field's value as selectors compare it: absent is empty, booleans in lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
