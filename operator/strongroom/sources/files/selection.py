"""Which files of a tree are taken: include and exclude patterns as in .gitignore."""

import os
from collections.abc import Sequence

import pathspec

from strongroom.api.errors import Reason, StrongroomError, excerpt


class Selection:
    """Decides by a member's path relative to the patterns' root, without a leading `./`."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str], what: str) -> None:
        """InvalidSpec, with `what` (the object) in the text, for a pattern that is none."""
        self._include = _parse(include, f"{what}: include")
        self._exclude = _parse(exclude, f"{what}: exclude")
        # What is taken in again may lie anywhere below a folder that is left out.
        self._prunes = not any(pattern.lstrip().startswith("!") for pattern in exclude)

    @property
    def takes_all(self) -> bool:
        """Whether there are no patterns."""
        return self._include is None and self._exclude is None

    def takes(self, path: bytes, *, is_folder: bool = False) -> bool:
        """Whether this member is taken for its own sake."""
        name = os.fsdecode(path) + ("/" if is_folder else "")
        if self._exclude is not None and self._exclude.match_file(name):
            return False
        return self._include is None or self._include.match_file(name)

    def enters(self, path: bytes) -> bool:
        """Whether something below this folder may be taken."""
        if self._exclude is None or not self._prunes:
            return True
        return not self._exclude.match_file(os.fsdecode(path) + "/")


def _parse(patterns: Sequence[str], field: str) -> pathspec.GitIgnoreSpec | None:
    if not patterns:
        return None
    try:
        return pathspec.GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise StrongroomError(Reason.InvalidSpec, f"{field}: {excerpt(str(error))}") from error
