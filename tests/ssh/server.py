"""A private sshd on loopback, with users of its own in a mount namespace of its own; and what tests see of its folders."""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

USER, UID = "vault", 64_321
PLACE = "/srv/strongroom"
"""What a server's folder is called inside of it."""
_START_SECONDS = 30
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_ed25519
HostKey {folder}/host_rsa
HostKey {folder}/host_ecdsa
PidFile none
AuthorizedKeysFile /srv/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication yes
KbdInteractiveAuthentication no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
"""
_INSIDE = """
set -e
mount --make-rprivate /
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/shadow /etc/shadow
mount -t tmpfs tmpfs /srv
mkdir {place}
cp {folder}/authorized_keys /srv/authorized_keys
chmod 644 /srv/authorized_keys
mount --bind {folder}/files {place}
mkdir -p {place}/small {place}/read-only
mount -t tmpfs -o size={small_bytes},mode=0777 tmpfs {place}/small
mount --bind -o ro {place}/read-only {place}/read-only
mount -o remount,bind,ro {place}/read-only
exec /usr/sbin/sshd -D -e -f {folder}/sshd_config
"""
SMALL_BYTES = 4 << 20


@dataclass(frozen=True)
class SshServer:
    """A running server. Its `key` opens the account, `restricted_key` only rsync below PLACE, by rrsync."""

    port: int
    folder: Path
    password: str

    @property
    def files(self) -> Path:
        """PLACE as this process sees it, but for `small` and `read-only`."""
        return self.folder / "files"

    def make_folder(self, mode: int = 0o700) -> str:
        """A new one of the user's; its name below PLACE."""
        name = f"folder-{secrets.token_hex(6)}"
        (self.files / name).mkdir()
        os.chown(self.files / name, UID, UID)
        (self.files / name).chmod(mode)
        return name

    def host_key(self, kind: str = "ed25519") -> str:
        return (self.folder / f"host_{kind}.pub").read_text().strip()

    def private_key(self, name: str = "key") -> str:
        return (self.folder / name).read_text()


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """A pair; the public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", path], check=True)
    return path.with_name(f"{path.name}.pub").read_text().strip()


@contextmanager
def running_ssh(folder: Path) -> Iterator[SshServer]:
    """A server with its keys and files in that folder, stopped at the end. Asks for root."""
    password = f"canary-{secrets.token_hex(8)} '\"\\"
    _furnish(folder, password)
    with (folder / "log").open("wb") as log:
        for _ in range(3):
            port = _free_port()
            (folder / "sshd_config").write_text(_CONFIG.format(port=port, folder=folder))
            script = _INSIDE.format(folder=folder, place=PLACE, small_bytes=SMALL_BYTES)
            process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdout=log, stderr=log)
            try:
                if _answers(process, port):
                    yield SshServer(port, folder, password)
                    return
            finally:
                process.kill()
                process.wait()
    raise AssertionError((folder / "log").read_text()[-2000:])


def _furnish(folder: Path, password: str) -> None:
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)
    (folder / "files").mkdir(mode=0o755)
    for kind in ("ed25519", "rsa", "ecdsa"):
        make_key(folder / f"host_{kind}", kind)
    own, restricted = make_key(folder / "key"), make_key(folder / "restricted_key")
    rrsync = f'restrict,command="/usr/bin/rrsync {PLACE}"'
    (folder / "authorized_keys").write_text(f"{own}\n{rrsync} {restricted}\n")
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
    ).stdout.strip()
    entries = {"passwd": f"{USER}:x:{UID}:{UID}::/:/bin/sh\n", "shadow": f"{USER}:{hashed}:20000::::::\n"}
    for name, entry in entries.items():
        (folder / name).write_text(Path("/etc", name).read_text() + entry)
    (folder / "shadow").chmod(0o600)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Whether the server greets before it ends, or the time is over."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as greeted:
            return greeted.recv(4) == b"SSH-"
        time.sleep(0.05)
    return False
