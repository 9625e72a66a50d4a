"""Two managers, one field: the refusal of an apply, in the server's words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from strongroom.apiserver.fielderrors import FieldError, go_quote
from strongroom.apiserver.managedfields.entries import UPDATE, Owned, Owner
from strongroom.apiserver.managedfields.paths import Path, path_text


@dataclass(frozen=True)
class Conflict:
    owner: Owner
    owned: Owned
    path: Path

    @property
    def manager_text(self) -> str:
        text = go_quote(self.owner.manager)
        if self.owner.subresource:
            text += f" with subresource {go_quote(self.owner.subresource)}"
        if self.owner.operation == UPDATE:
            text += f" using {self.owned.api_version}"
            text += f" at {self.owned.time}" if self.owned.time else ""
        return text


class ConflictError(Exception):
    """409 with reason Conflict; `causes` have the reason FieldManagerConflict."""

    def __init__(self, conflicts: Iterable[Conflict]) -> None:
        self.conflicts = sorted(conflicts, key=lambda conflict: (conflict.manager_text, conflict.path))
        super().__init__(_message(self.conflicts))

    @property
    def causes(self) -> list[FieldError]:
        return [
            FieldError(
                path_text(conflict.path), "FieldManagerConflict", f"conflict with {conflict.manager_text}"
            )
            for conflict in self.conflicts
        ]


def _message(conflicts: Sequence[Conflict]) -> str:
    if len(conflicts) == 1:
        (conflict,) = conflicts
        return (
            f"Apply failed with 1 conflict: conflict with {conflict.manager_text}: {path_text(conflict.path)}"
        )
    lines = []
    for manager in dict.fromkeys(conflict.manager_text for conflict in conflicts):
        lines.append(f"conflicts with {manager}:")
        lines += [
            f"- {path_text(conflict.path)}" for conflict in conflicts if conflict.manager_text == manager
        ]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
