"""From a specification to a store by SFTP."""

from pathlib import Path

from strongroom.api.backupstore import SftpStore
from strongroom.stores.credentials import Secrets
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.sftp.store import SftpFolder
from strongroom.stores.ssh.access import Access, Credentials, Patience


def open_sftp(
    spec: SftpStore,
    secrets: Secrets,
    scratch: Path | None,
    pulse: Pulse | None = None,
    patience: Patience | None = None,
) -> SftpFolder:
    """The store. Touches nothing yet. The pulse beats whenever bytes come from the server."""
    credentials = Credentials(spec.private_key_secret, spec.password_secret)
    access = Access("sftp", spec, credentials, secrets, scratch, patience or Patience())
    return SftpFolder(access, pulse or Pulse())
