"""What ssh is told: a configuration of our own in a folder of our own, with every option that a user's could change."""

import os
import shutil
import subprocess
import tempfile
import weakref
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.fields import SecretKeyReference
from strongroom.api.sshservers import SshServer
from strongroom.stores.credentials import Secrets

ALIAS = "store"
"""The server's name in our configuration, and in our list of known hosts."""
_KEYGEN_SECONDS = 30


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for: to connect, and then for its next word."""

    connect_seconds: int = 10
    silence_seconds: float = 60
    alive_seconds: int = 15
    """A question that only a living connection answers is asked after that much silence, three times."""


@dataclass(frozen=True)
class Credentials:
    """A private key, or else a password."""

    private_key: SecretKeyReference | None
    password: SecretKeyReference | None = None


class Access:
    """The way to one server. What it writes, keys among it, is deleted with it, or with the scratch folder."""

    def __init__(
        self,
        kind: Literal["sftp", "rsync"],
        server: SshServer,
        credentials: Credentials,
        secrets: Secrets,
        scratch: Path | None,
        patience: Patience,
    ) -> None:
        """Touch nothing yet. `kind` is the field of the BackupStore's specification."""
        self.kind = kind
        self.server = server
        self.patience = patience
        self._credentials = credentials
        self._secrets = secrets
        self._scratch = scratch

    @property
    def credential_field(self) -> str:
        """Which field of the specification the server judges."""
        return f"{self.kind}.{'passwordSecret' if self._credentials.password else 'privateKeySecret'}"

    @property
    def config(self) -> Path:
        """The configuration. Written when first asked for; raises SecretMissing, KeyUnusable, ClientMissing."""
        return self.folder / "config"

    def program(self, name: str) -> Path:
        """Where a program is. ClientMissing where it is not."""
        found = shutil.which(name)
        if found is None:
            raise StrongroomError(
                Reason.ClientMissing, f"{self.kind}: there is no {name} on the worker's PATH"
            )
        return Path(found)

    @cached_property
    def environment(self) -> dict[str, str]:
        """All that ssh, and whoever starts it, gets of ours."""
        own = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "TZ": "UTC",
            "HOME": str(self.folder),
        }
        if self._credentials.password is not None:
            own |= {
                "SSH_ASKPASS": str(self.folder / "askpass"),
                "SSH_ASKPASS_REQUIRE": "force",
                "DISPLAY": "none:0",
            }
        return own

    @cached_property
    def folder(self) -> Path:
        """A folder for this way alone, with all that ssh reads in it."""
        self.program("ssh")
        made = Path(tempfile.mkdtemp(prefix=f"{self.kind}-", dir=self._scratch))
        weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        _write(made / "known_hosts", f"{ALIAS} {self.server.host_key}\n")
        given = self._lay_out_password(made) if self._credentials.password else self._lay_out_key(made)
        _write(
            made / "config", "".join(f"{name} {value}\n" for name, value in [*self._options(made), *given])
        )
        return made

    def _options(self, folder: Path) -> list[tuple[str, str]]:
        server, patience = self.server, self.patience
        return [
            ("Host", ALIAS),
            ("HostName", server.host),
            ("Port", str(server.port)),
            ("User", server.user),
            ("HostKeyAlias", ALIAS),
            ("UserKnownHostsFile", _quoted(folder / "known_hosts")),
            ("GlobalKnownHostsFile", "/dev/null"),
            ("StrictHostKeyChecking", "yes"),
            ("UpdateHostKeys", "no"),
            ("VerifyHostKeyDNS", "no"),
            ("CheckHostIP", "no"),
            ("CanonicalizeHostname", "no"),
            ("IdentitiesOnly", "yes"),
            ("IdentityAgent", "none"),
            ("AddKeysToAgent", "no"),
            ("HostbasedAuthentication", "no"),
            ("GSSAPIAuthentication", "no"),
            ("ConnectTimeout", str(patience.connect_seconds)),
            ("ConnectionAttempts", "1"),
            ("ServerAliveInterval", str(patience.alive_seconds)),
            ("ServerAliveCountMax", "3"),
            ("TCPKeepAlive", "yes"),
            ("ControlMaster", "no"),
            ("ControlPath", "none"),
            ("ProxyCommand", "none"),
            ("PermitLocalCommand", "no"),
            ("ClearAllForwardings", "yes"),
            ("ForwardAgent", "no"),
            ("ForwardX11", "no"),
            ("RequestTTY", "no"),
            ("EscapeChar", "none"),
            ("Compression", "no"),
            ("LogLevel", "ERROR"),
        ]

    def _lay_out_key(self, folder: Path) -> list[tuple[str, str]]:
        reference, field = self._credentials.private_key, f"{self.kind}.privateKeySecret"
        assert reference is not None  # noqa: S101 - the specification has one of both
        # A Secret made from a literal lacks the last line break, one made on Windows has others; ssh reads neither.
        text = self._secrets.read(reference, field).decode(errors="replace").strip().replace("\r\n", "\n")
        _write(folder / "key", f"{text}\n")
        self._check_key(folder / "key", f"{field}: key {reference.key} of Secret {reference.name}")
        return [
            ("IdentityFile", _quoted(folder / "key")),
            ("PreferredAuthentications", "publickey"),
            ("BatchMode", "yes"),
        ]

    def _check_key(self, key: Path, what: str) -> None:
        """Raise KeyUnusable for a file that ssh would pass over without a word that helps."""
        done = subprocess.run(
            [self.program("ssh-keygen"), "-y", "-P", "", "-f", key],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            timeout=_KEYGEN_SECONDS,
            check=False,
        )
        if done.returncode == 0:
            return
        if b"passphrase" in done.stderr:
            raise StrongroomError(
                Reason.KeyUnusable,
                f"{what} has a passphrase, and nobody is there to type it: take it off (ssh-keygen -p) or make a key "
                "for this store alone",
            )
        # `Load key "…": error in libcrypto`: the file is ours, and its name says nothing to anybody.
        words = excerpt(
            done.stderr.decode(errors="replace").strip().rpartition(": ")[2].replace(str(key), "it")
        )
        raise StrongroomError(Reason.KeyUnusable, f"{what} is no private key that ssh can read ({words})")

    def _lay_out_password(self, folder: Path) -> list[tuple[str, str]]:
        reference = self._credentials.password
        assert reference is not None  # noqa: S101 - asked by the caller
        field = f"{self.kind}.passwordSecret"
        password = self._secrets.read(reference, field).decode(errors="replace").strip("\r\n")
        if not password or not password.isprintable():
            words = f"{field}: key {reference.key} of Secret {reference.name} holds no line of printable text"
            raise StrongroomError(Reason.AuthenticationFailed, words)
        _write(folder / "password", f"{password}\n")
        _write(folder / "askpass", '#!/bin/sh\nexec cat "$(dirname "$0")/password"\n', mode=0o700)
        return [
            ("PreferredAuthentications", "password,keyboard-interactive"),
            ("PubkeyAuthentication", "no"),
            ("NumberOfPasswordPrompts", "1"),
        ]


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _quoted(path: Path) -> str:
    """As ssh_config(5) takes a path: `%` begins a token there."""
    return '"' + str(path).replace("%", "%%") + '"'
