"""Names that restores give to what they make beside the files of others."""

OWN_PREFIX = b".strongroom-"
"""What begins with it, at the root of a volume or beside a restored folder, is a restore's: never backed up, never an archive's."""
