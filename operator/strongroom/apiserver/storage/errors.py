"""How storage refuses: a write that lost its race, and a history that is no longer there."""


class StaleError(Exception):
    """The object is not at the revision that the writer had read (or it exists, or is gone)."""


class ExpiredError(Exception):
    """The history after this revision is not kept: compacted, lost, restored away, or never written."""

    def __init__(self, asked: int, oldest: int) -> None:
        """Keep both revisions for the text that clients know."""
        super().__init__(f"too old resource version: {asked} ({oldest})")


class StorageFailedError(Exception):
    """The disk refused the write; nothing of it is visible."""
