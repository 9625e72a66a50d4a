"""Which class serves a BackupStore?"""

import functools
from pathlib import Path

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.credentials import Secrets
from strongroom.stores.limits.limiting import limited
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.local import LocalStore
from strongroom.stores.store import Store


def open_store(name: str, spec: BackupStoreSpec, secrets: Secrets, scratch: Path | None = None) -> Store:
    """The store of that specification, within its limits. Touches nothing yet; Unsupported for what this version lacks.

    `scratch` is for files that a store needs meanwhile, keys among them; by default the system's folder for such.
    """
    if spec.object_lock is not None and spec.s3 is None:
        what = f"spec.objectLock of a store of type {spec.type}"
        raise StrongroomError(Reason.Unsupported, f"store {name}: this version does not act on {what}")
    pulse = Pulse()
    return limited(_open(spec, secrets, scratch, pulse), spec.limits, pulse)


def _open(spec: BackupStoreSpec, secrets: Secrets, scratch: Path | None, pulse: Pulse) -> Store:
    """One whose calls may take long although bytes move lets the pulse beat meanwhile."""
    if spec.local is not None:
        return LocalStore(spec.local.path)
    if spec.s3 is not None:
        # Only those who use a bucket pay for its client: half a second, and 30 MiB of memory.
        from strongroom.stores.s3.connecting import Patience, connect
        from strongroom.stores.s3.store import BucketStore

        return BucketStore(
            spec.s3, spec.object_lock, functools.partial(connect, spec.s3, secrets, Patience()), pulse
        )
    if spec.sftp is not None:
        from strongroom.stores.sftp.opening import open_sftp

        return open_sftp(spec.sftp, secrets, scratch, pulse)
    assert spec.rsync is not None  # noqa: S101 - a specification has one of the four
    from strongroom.stores.rsync.opening import open_rsync

    return open_rsync(spec.rsync, spec.limits, secrets, scratch, pulse)
