"""Whose fault is it? Some failures tell that the backup does not restore: an alarm. All others tell nothing of it: tried again. Pure."""

from strongroom.api.errors import Reason

_OF_BACKUP = frozenset(
    {
        # The store answers, and what it holds is not what the run has written there.
        Reason.ArtifactCorrupt,
        Reason.CopyMissing,
        Reason.BackupNotFound,
        Reason.ManifestUntrusted,
        # The bytes are those of the manifest, and do not become what the manifest tells of.
        Reason.VerificationFailed,
        Reason.RestoreFailed,
        Reason.ComparisonFailed,
        Reason.ArchiveRefused,
        Reason.HealthCheckFailed,
        Reason.DrillFailed,
    }
)


def is_backups_fault(reason: Reason, *, has_keys: bool, has_begun: bool) -> bool:
    """Whether that failure is an alarm. `has_keys`: some key was at hand. `has_begun`: reading the backup has.

    A key that was named and does not open the backup would not open it on the day either; a key that is not there at all is a
    matter of the drill's set-up. Who does not come to an end in the time that he is given has not passed.
    """
    if reason is Reason.DecryptionFailed:
        return has_keys
    if reason is Reason.DeadlineExceeded:
        return has_begun
    return reason in _OF_BACKUP
