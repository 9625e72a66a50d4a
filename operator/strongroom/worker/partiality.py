"""Does a recovery point count? Not when files changed while they were read and the policy does not accept that."""

from collections.abc import Sequence
from typing import Literal

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.filesources import OnChange
from strongroom.api.manifest import Manifest, ManifestFile
from strongroom.api.sources import Source
from strongroom.sources.files.checks import describe_changes


def decide_outcome(
    sources: Sequence[Source], files: Sequence[ManifestFile]
) -> Literal["Succeeded", "Partial"]:
    """The recovery point's, from what its sources say about changes."""
    strict = {source.name for source in sources if _on_change(source) != "Accept"}
    is_partial = any(file.artifact.changed_count and file.artifact.source in strict for file in files)
    return "Partial" if is_partial else "Succeeded"


def partial_failure(manifest: Manifest) -> StrongroomError | None:
    """FilesChanged with the first names, for a recovery point that is committed and does not count."""
    if manifest.outcome == "Succeeded":
        return None
    told = [
        f"source {file.artifact.source}: {describe_changes(file.artifact.changed_count, file.changed)}"
        for file in manifest.files
        if file.artifact.changed_count
    ]
    return StrongroomError(Reason.FilesChanged, "; ".join(told))


def _on_change(source: Source) -> OnChange:
    tree = source.files or source.config
    return "Accept" if tree is None else tree.on_change
