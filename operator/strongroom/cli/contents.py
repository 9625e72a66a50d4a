"""What an artifact holds, in a few words."""

from strongroom.api.result import Artifact
from strongroom.cli.quantities import human_bytes


def describe_contents(artifact: Artifact) -> str:
    """Such as `5 tables, 20700 rows` or `1231 members, 15.4 MiB of files`; empty where nothing was counted."""
    if artifact.row_count is not None:
        return f"{artifact.table_count} tables, {artifact.row_count} rows"
    if artifact.member_count is not None:
        return f"{artifact.member_count} members, {human_bytes(artifact.member_bytes)} of files"
    return ""
