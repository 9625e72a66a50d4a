"""What may be overwritten: what was there when it was planned, and what the user has said to it. Pure."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from strongroom.api.manifest import ManifestFile
from strongroom.api.restoreorder import RestoreOrder
from strongroom.api.restoring import PlannedItem

_LONGEST = 1024
"""Characters of spec.confirm."""
_DIGITS = 12


def may_replace(order: RestoreOrder, file: ManifestFile) -> bool:
    """Whether what is in the artifact's place may be replaced."""
    artifact = file.artifact
    key = artifact.source, artifact.database, artifact.container
    return any((each.source, each.database, each.container) == key for each in order.overwrites)


def confirmation_of(items: Sequence[PlannedItem]) -> str | None:
    """What the user has to say: names of all that is overwritten, each once and of one thing."""
    overwritten = [item for item in items if item.overwrites]
    if not overwritten:
        return None
    alike = Counter(item.into for item in overwritten)
    names = [item.into if alike[item.into] == 1 else _full_name(item) for item in overwritten]
    said = ",".join(names)
    if len(said) <= _LONGEST:
        return said
    return f"{len(names)} names, {hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]}"


def _full_name(item: PlannedItem) -> str:
    return "/".join(part for part in (item.source, item.container, item.into) if part)
