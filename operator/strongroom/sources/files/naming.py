"""Names that restores give to what they make beside the files of others."""

OWN_PREFIX = b".strongroom-"
"""At the root of a volume or beside a restored folder, what begins with it is ours, and no archive's."""
KEPT_PREFIX = OWN_PREFIX + b"restore-"
"""Folders in which restores keep what they have replaced. They are never backed up."""
