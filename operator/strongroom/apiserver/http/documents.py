"""What a decoder found: a value, and the fields that were given twice on the way to it."""

import math
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 100
"""Levels of nesting; no API needs more, and Python's own stack ends at about a thousand."""
MOST_NODES = 500_000
"""Values in one document: YAML's aliases can multiply a small body without bound."""


@dataclass(frozen=True)
class Document:
    """A parsed body; `problems` are worded as strict decoding words them."""

    value: Any
    problems: tuple[str, ...] = ()


@dataclass
class Building:
    """Limits and findings while a document is built. Raises ValueError at a limit."""

    problems: list[str] = field(default_factory=list)
    nodes: int = 0

    def enter(self, depth: int) -> None:
        """Count one value."""
        self.nodes += 1
        if depth > DEEPEST:
            raise ValueError("exceeded max depth")
        if self.nodes > MOST_NODES:
            raise ValueError("document contains excessive aliasing")

    def put(self, target: dict[str, Any], key: str, value: Any, path: str) -> None:
        """Set a field; the last of its name wins, and the loss is noted."""
        problem = f'duplicate field "{path}"'
        if key in target and problem not in self.problems:
            self.problems.append(problem)
        target[key] = value

    @staticmethod
    def number(value: Any) -> Any:
        """JSON has no infinity and no NaN: what cannot be written back is not read."""
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"json: cannot unmarshal number {value} into Go value of type float64")
        return value


def below(path: str, key: str) -> str:
    """The path of a field."""
    return f"{path}.{key}" if path else key
