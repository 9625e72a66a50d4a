"""Names of children, from the identity of what they are for: made twice, a child has the same name twice.

All fit 63 characters, because Kubernetes copies a Job's name into a label of its pods.
"""

import hashlib
from datetime import UTC, datetime

LONGEST = 63
LONGEST_RUN = 253
_DIGITS = 8


def run_name(policy: str, policy_uid: str, slot: datetime) -> str:
    """The BackupRun of a policy's slot, such as `orders-20261122t0200z-3f9c2b7a`; the slot is read as UTC."""
    stamp = slot.astimezone(UTC).strftime("%Y%m%dt%H%Mz")
    return _fit(policy, f"{stamp}-{_digest(policy_uid, stamp)}")


def job_name(run: str, run_uid: str) -> str:
    """The Job of a BackupRun; one recreated under the same name has another uid and so another Job."""
    return _fit(run, _digest(run_uid))


def catch_up_job_name(run: str, run_uid: str, attempt: int) -> str:
    """The Job of that attempt to copy what a run's stores lack."""
    return _fit(f"copy-{run}", _digest(run_uid, "catch-up", str(attempt)))


def restore_job_name(request: str, request_uid: str, purpose: str) -> str:
    """The Job that plans a RestoreRequest, carries it out, or drops what it replaced."""
    return _fit(request, f"{purpose.partition(' ')[0]}-{_digest(request_uid, purpose)}")


def safety_run_name(request: str, request_uid: str) -> str:
    """The BackupRun that holds the state before a restore."""
    return _fit(request, f"safety-{_digest(request_uid, 'safety')}")


def drill_job_name(policy: str, policy_uid: str, slot: datetime, attempt: int) -> str:
    """The Job of that attempt to fill a slot of a policy's drills."""
    stamp = slot.astimezone(UTC).strftime("%Y%m%dt%H%Mz")
    return _fit(f"drill-{policy}", f"{stamp}-{_digest(policy_uid, 'drill', stamp, str(attempt))}")


def check_job_name(store: str, store_uid: str, host: str, moment: datetime) -> str:
    """The Job that checks a store from a host, decided upon at that moment."""
    return _fit(f"check-{store}", _digest(store_uid, host, moment.astimezone(UTC).isoformat()))


def sync_job_name(store: str, store_uid: str, host: str, began: datetime, after: str | None) -> str:
    """The Job that lists one part of a store's catalogue, in the walk that began at that moment."""
    stamp = began.astimezone(UTC).isoformat()
    return _fit(f"catalogue-{store}", _digest(store_uid, host, stamp, after or ""))


def found_run_name(run: str, run_uid: str) -> str:
    """The name of a run that was found in a store, where another run has its own."""
    tail = _digest(run_uid)
    return f"{run[: LONGEST_RUN - len(tail) - 1].rstrip('-.')}-{tail}"


def _fit(head: str, tail: str) -> str:
    kept = head[: LONGEST - len(tail) - 1].rstrip("-.").replace(".", "-")
    return f"{kept}-{tail}"


def _digest(*identity: str) -> str:
    return hashlib.sha256("/".join(identity).encode()).hexdigest()[:_DIGITS]
