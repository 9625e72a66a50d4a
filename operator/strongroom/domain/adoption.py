"""Which earlier policies' backups a policy may treat as its own: those that its annotation names, and no others.

A policy made again under an old name has another uid. What was backed up before it is shown, restored from and counted
for a while, but never deleted by its rules, unless the user says that both are the same.
"""

import re
from collections.abc import Iterable

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.labels import ADOPT_ANNOTATION
from strongroom.api.resources import BackupPolicy, ObjectMeta
from strongroom.domain.runrecords import RunRecord

_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_MOST = 16


def adopted_uids(meta: ObjectMeta) -> list[str]:
    """The uids that the annotation names, in its order. Raises InvalidSpec if there is anything else in it."""
    text = meta.annotations.get(ADOPT_ANNOTATION, "")
    uids = [word.strip() for word in text.split(",") if word.strip()]
    wrong = next((uid for uid in uids if not _UID.fullmatch(uid)), None)
    if wrong is not None or len(uids) > _MOST:
        fault = f"{excerpt(wrong, 80)!r} is no uid" if wrong is not None else f"more than {_MOST} uids"
        raise StrongroomError(
            Reason.InvalidSpec,
            f"metadata.annotations[{ADOPT_ANNOTATION}]: {fault}; it holds uids of earlier policies, separated by commas",
        )
    return list(dict.fromkeys(uids))


def readable_uids(meta: ObjectMeta) -> list[str]:
    """Those of an annotation that can be read, else none: nothing foreign is ever deleted because of a slip."""
    try:
        return adopted_uids(meta)
    except StrongroomError:
        return []


def is_own(policy: BackupPolicy, record: RunRecord) -> bool:
    """Whether a run was this very policy's, or of one that it has adopted."""
    return record.policy_uid in (None, policy.meta.uid, *readable_uids(policy.meta))


def counts_as_backup(policy: BackupPolicy, record: RunRecord) -> bool:
    """Whether a run shows that what the policy protects is backed up.

    A run of an earlier policy does, as long as it is fresh. One that another control plane has made under the same name
    since this policy exists does not: that one's success would hide that this one fails.
    """
    created = policy.meta.creation_timestamp
    return is_own(policy, record) or (created is not None and record.moment <= created)


def find_foreign(policy: BackupPolicy, records: Iterable[RunRecord]) -> list[RunRecord]:
    """Runs of other policies of this name whose backups are still in a store."""
    return [record for record in records if record.holds_artifacts and not is_own(policy, record)]
