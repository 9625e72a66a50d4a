"""Which failures of a drill are alarms, and which say nothing of the backup."""

import pytest

from strongroom.api.errors import Reason
from strongroom.worker.drilling.faults import is_backups_fault

ALARMS = [
    "ArtifactCorrupt CopyMissing BackupNotFound ManifestUntrusted VerificationFailed RestoreFailed",
    "ComparisonFailed ArchiveRefused HealthCheckFailed DrillFailed DecryptionFailed DeadlineExceeded",
]


@pytest.mark.parametrize("reason", list(Reason))
def test_only_what_tells_of_the_backup_is_an_alarm(reason: Reason) -> None:
    alarms = {name for line in ALARMS for name in line.split()}
    assert is_backups_fault(reason, has_keys=True, has_begun=True) == (reason.name in alarms)


def test_an_encrypted_backup_without_any_key_at_hand_says_nothing() -> None:
    assert not is_backups_fault(Reason.DecryptionFailed, has_keys=False, has_begun=True)


def test_time_that_is_over_before_anything_was_read_says_nothing() -> None:
    assert not is_backups_fault(Reason.DeadlineExceeded, has_keys=True, has_begun=False)
