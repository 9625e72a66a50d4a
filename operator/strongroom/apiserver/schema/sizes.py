"""Bounds of one value: numbers, lengths, counts, pattern and format."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from strongroom.apiserver.fielderrors import (
    FieldError,
    go_quote,
    go_text,
    invalid,
    too_long,
    too_many,
    type_invalid,
)
from strongroom.apiserver.schema import formats
from strongroom.apiserver.schema.patterns import compile_pattern

Schema = dict[str, Any]


def validate_sizes(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    if isinstance(value, str):
        yield from _string_errors(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_errors(value, schema, path)
    elif isinstance(value, list):
        yield from _count_errors(len(value), schema, path, ("minItems", "maxItems", "items"))


def validate_property_count(value: dict[str, Any], schema: Schema, path: str) -> Iterator[FieldError]:
    yield from _count_errors(len(value), schema, path, ("minProperties", "maxProperties", "properties"))


def _string_errors(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    maximum, minimum, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    # The server stops at the first of these three.
    if maximum is not None and len(value) > maximum:
        yield too_long(path, maximum)
    elif minimum is not None and len(value) < minimum:
        yield _invalid(path, value, f"should be at least {minimum} chars long")
    elif pattern and not compile_pattern(pattern).search(value):
        yield _invalid(path, value, f"should match '{pattern}'")
    name = schema.get("format")
    check = formats.CHECKS.get(name) if name else None
    if check and not check(value):
        yield type_invalid(path, value, f"{path} in body must be of type {name}: {go_quote(value)}")


def _number_errors(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    multiple, maximum, minimum = schema.get("multipleOf"), schema.get("maximum"), schema.get("minimum")
    if multiple and Fraction(str(value)) % Fraction(str(multiple)):
        yield _invalid(path, value, f"should be a multiple of {_limit(value, multiple)}")
    if maximum is not None:
        exclusive = schema.get("exclusiveMaximum", False)
        if value > maximum or (exclusive and value == maximum):
            words = "less than" if exclusive else "less than or equal to"
            yield _invalid(path, value, f"should be {words} {_limit(value, maximum)}")
    if minimum is not None:
        exclusive = schema.get("exclusiveMinimum", False)
        if value < minimum or (exclusive and value == minimum):
            words = "greater than" if exclusive else "greater than or equal to"
            yield _invalid(path, value, f"should be {words} {_limit(value, minimum)}")


def _limit(value: float, limit: float) -> str:
    """Go compares, and prints, in the type of the value: whole numbers plainly, others as floats."""
    return go_text(int(limit) if isinstance(value, int) and limit == int(limit) else float(limit))


def _count_errors(count: int, schema: Schema, path: str, names: tuple[str, str, str]) -> Iterator[FieldError]:
    minimum, maximum, noun = schema.get(names[0]), schema.get(names[1]), names[2]
    if minimum is not None and count < minimum:
        yield _invalid(path, count, f"should have at least {minimum} {noun}")
    elif maximum is not None and count > maximum:
        yield too_many(path, count, maximum)


def _invalid(path: str, value: Any, detail: str) -> FieldError:
    return invalid(path, value, f"{path} in body {detail}")
