"""From a specification to a store by rsync."""

from pathlib import Path

from strongroom.api.backupstore import RsyncStore, StoreLimits
from strongroom.stores.credentials import Secrets
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.rsync.runs import Runs
from strongroom.stores.rsync.store import RsyncFolder
from strongroom.stores.ssh.access import Access, Credentials, Patience

_SILENCE_SECONDS = 300
"""A server that writes a large file through to its disk says nothing meanwhile. A dead connection is noticed by ssh."""


def open_rsync(
    spec: RsyncStore,
    limits: StoreLimits,
    secrets: Secrets,
    scratch: Path | None,
    pulse: Pulse | None = None,
    patience: Patience | None = None,
) -> RsyncFolder:
    """The store. Touches nothing yet. The pulse beats while bytes move."""
    access = Access(
        "rsync",
        spec,
        Credentials(spec.private_key_secret),
        secrets,
        scratch,
        patience or Patience(silence_seconds=_SILENCE_SECONDS),
    )
    return RsyncFolder(Runs(access, limits, pulse or Pulse()))
