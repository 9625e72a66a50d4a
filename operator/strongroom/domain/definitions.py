"""Do the API server's definitions of our kinds fit this version? Compared field by field: what one side lacks is dropped in silence."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
OLDER = "DefinitionOlder"
NEWER = "DefinitionNewer"
SHOWN = 5


@dataclass(frozen=True)
class Drift:
    """How the server's definition of a kind differs from ours."""

    lacking: tuple[str, ...]
    """Fields of this version that the server drops."""
    unknown: tuple[str, ...]
    """Fields that the server takes and this version does not know."""

    @property
    def reason(self) -> str:
        """One word for it."""
        return OLDER if self.lacking else NEWER

    def describe(self, resource: str) -> str:
        """What it means, and what to do."""
        if self.lacking:
            return (
                f"The API server's definition of {resource} is older than this operator: it drops {_some(self.lacking)}, so what they "
                "ask for is not done and not told. Apply the definitions of this version: strongroom crds | kubectl apply --server-side -f -."
            )
        return (
            f"The API server's definition of {resource} is newer than this operator, which does not know {_some(self.unknown)}: "
            "objects that use them are refused. Run an operator of that version."
        )


def find_drift(own: Schema, served: Schema) -> Drift | None:
    """The difference of two schemas of one kind; None where they have the same fields."""
    ours, theirs = set(_paths(own)), set(_paths(served))
    free = [path for path in theirs if path.endswith(".*")]
    lacking = sorted(path for path in ours - theirs if not any(path.startswith(any_[:-1]) for any_ in free))
    drift = Drift(tuple(lacking), tuple(sorted(theirs - ours)))
    return drift if drift.lacking or drift.unknown else None


def _paths(schema: Schema, path: str = "") -> Iterator[str]:
    if schema.get("type") == "array":
        yield from _paths(schema.get("items") or {}, f"{path}[]")
    if schema.get("x-kubernetes-preserve-unknown-fields") and path:
        yield f"{path}.*"
    for name, inner in (schema.get("properties") or {}).items():
        below = f"{path}.{name}" if path else name
        if below in {"apiVersion", "kind", "metadata"}:
            continue
        yield below
        yield from _paths(inner, below)


def _some(paths: tuple[str, ...]) -> str:
    more = len(paths) - SHOWN
    return ", ".join(paths[:SHOWN]) + (f" and {more} more" if more > 0 else "")
