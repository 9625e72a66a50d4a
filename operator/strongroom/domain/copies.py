"""Copies: the 3-2-1 rule. Three copies of the data (the live one counts), on two kinds of media, one in another place."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.conditions import COPIES_SATISFIED, Condition, build_condition

LIVE_MEDIA = "disk"
"""What the live data lies on."""


def judge_copies(
    good_copies: Sequence[str] | None,
    stores: Mapping[str, BackupStoreSpec],
    now: datetime,
    generation: int | None = None,
) -> Condition:
    """CopiesSatisfied from the stores that hold a good copy of the newest verified backup (None: there is no backup)."""
    if good_copies is None:
        status, reason, message = False, "NoVerifiedBackup", "There is no verified backup yet."
    else:
        missing = find_missing([stores[name] for name in good_copies if name in stores])
        status = not missing
        reason = "TooFewCopies" if missing else "Satisfied"
        message = (
            f"For 3-2-1 is missing: {'; '.join(missing)}."
            if missing
            else "Three copies, on two kinds of media, one offsite."
        )
    return build_condition(
        COPIES_SATISFIED, status=status, reason=reason, message=message, now=now, generation=generation
    )


def find_missing(stores: Sequence[BackupStoreSpec]) -> list[str]:
    """What the stores lack for 3-2-1, in words; empty when nothing."""
    missing = []
    if len(stores) < 2:
        missing.append(f"a second store with a good copy ({len(stores)} of 2)")
    if all(store.media == LIVE_MEDIA for store in stores):
        missing.append(f"a store on another medium than {LIVE_MEDIA}")
    if not any(store.offsite for store in stores):
        missing.append("an offsite store")
    return missing
