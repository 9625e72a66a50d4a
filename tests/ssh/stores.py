"""Stores in a folder of a test's own on an SSH server."""

from pathlib import Path
from typing import Any, Literal

from tests.ssh.server import PLACE, USER, SshServer

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.stores.rsync.opening import open_rsync
from strongroom.stores.rsync.store import RsyncFolder
from strongroom.stores.sftp.opening import open_sftp
from strongroom.stores.sftp.store import SftpFolder
from strongroom.stores.ssh.access import Patience
from strongroom.worker.secretfiles import SecretFiles

QUICK = Patience(connect_seconds=5, silence_seconds=20)
IMPATIENT = Patience(connect_seconds=4, silence_seconds=4)
"""For silence."""
KEY = {"name": "vault-login", "key": "key"}
RESTRICTED = {"name": "vault-login", "key": "restricted"}
PASSWORD = {"name": "vault-login", "key": "password"}


def write_login(folder: Path, server: SshServer) -> SecretFiles:
    """Key and password as Secret `vault-login` in a folder of Secrets."""
    secret = folder / "vault-login"
    secret.mkdir(parents=True, exist_ok=True)
    (secret / "key").write_text(server.private_key())
    (secret / "restricted").write_text(server.private_key("restricted_key"))
    (secret / "password").write_text(server.password)
    return SecretFiles(folder)


def ssh_spec(kind: Literal["sftp", "rsync"], server: SshServer, folder: str, **more: Any) -> dict[str, Any]:
    """A BackupStore's specification; None takes a field away."""
    place = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": USER,
        "path": f"{PLACE}/{folder}",
        "hostKey": server.host_key(),
        "privateKeySecret": KEY,
        **more,
    }
    return {kind: {name: value for name, value in place.items() if value is not None}}


def open_sftp_folder(
    path: Path, server: SshServer, folder: str, patience: Patience = QUICK, **more: Any
) -> SftpFolder:
    """The store, with its Secrets and scratch space below `path`."""
    spec = BackupStoreSpec.model_validate(ssh_spec("sftp", server, folder, **more))
    assert spec.sftp is not None
    scratch = path / "scratch"
    scratch.mkdir(exist_ok=True)
    return open_sftp(spec.sftp, write_login(path / "secrets", server), scratch, patience=patience)


def open_rsync_folder(
    path: Path,
    server: SshServer,
    folder: str = "",
    patience: Patience = QUICK,
    *,
    place: str = "",
    **more: Any,
) -> RsyncFolder:
    """The same by rsync. `place` is the path as a restricted account names it."""
    if place:
        more["path"] = place
    spec = BackupStoreSpec.model_validate(ssh_spec("rsync", server, folder, **more))
    assert spec.rsync is not None
    scratch = path / "scratch"
    scratch.mkdir(exist_ok=True)
    login = write_login(path / "secrets", server)
    return open_rsync(spec.rsync, spec.limits, login, scratch, patience=patience)
