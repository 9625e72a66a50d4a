"""How to reach one server: what psycopg and the client programs need, with the password in a file of mode 0600."""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.api.sources import PostgresSource, TlsMode

SecretReader = Callable[[SecretKeyReference, str], bytes]
"""Gives the bytes of a Secret's key; the text says which field of which source asks, for its errors."""

CONNECT_SECONDS = 10
_VERIFYING: set[TlsMode] = {"verify-ca", "verify-full"}


@dataclass(frozen=True)
class Connection:
    """A server as one role reaches it. Holds paths to secrets, never secrets."""

    source: str
    host: str
    port: int
    user: str
    tls_mode: TlsMode
    ca_file: Path | None
    password_file: Path
    password_secret: SecretKeyReference | None

    def conninfo(self, database: str) -> str:
        """The connection string for one database, in the form of libpq, every value quoted."""
        return make_conninfo(
            host=self.host,
            port=self.port,
            user=self.user,
            dbname=database,
            sslmode=self.tls_mode,
            sslrootcert=None if self.ca_file is None else str(self.ca_file),
            passfile=str(self.password_file),
            connect_timeout=CONNECT_SECONDS,
            application_name="strongroom",
            client_encoding="UTF8",  # psycopg gives bytes instead of text where the database says SQL_ASCII
        )

    def environment(self, database: str) -> dict[str, str]:
        """All that a client program is given. libpq takes each variable as it is: no name needs quoting."""
        variables = {
            "PATH": os.defpath,
            "HOME": str(self.password_file.parent),
            "LC_ALL": "C.UTF-8",
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": database,
            "PGSSLMODE": self.tls_mode,
            "PGPASSFILE": str(self.password_file),
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
            "PGAPPNAME": "strongroom",
        }
        return variables if self.ca_file is None else {**variables, "PGSSLROOTCERT": str(self.ca_file)}


def prepare_connection(
    source: str, postgres: PostgresSource, read_secret: SecretReader, scratch: Path
) -> Connection:
    """Lay the source's secrets out under `scratch` as the client programs want them.

    Raises SecretMissing, SecretKeyMissing, or InvalidSpec for a password that no password file can hold.
    """
    if postgres.host is None or postgres.user is None:
        raise StrongroomError(
            Reason.InvalidSpec, f"source {source}: postgres.host and postgres.user are needed"
        )
    folder = scratch / f"source-{source}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password_file = folder / "pgpass"
    _write_private(password_file, _password_line(source, postgres, read_secret))
    return Connection(
        source=source,
        host=postgres.host,
        port=postgres.port,
        user=postgres.user,
        tls_mode=postgres.tls.mode,
        ca_file=_ca_file(source, postgres, read_secret, folder),
        password_file=password_file,
        password_secret=postgres.password_secret,
    )


def read_password(source: str, postgres: PostgresSource, read_secret: SecretReader) -> str | None:
    """The password of the source's Secret, None if it names none. Raises what `prepare_connection` raises."""
    reference = postgres.password_secret
    if reference is None:
        return None
    field = f"source {source}: postgres.passwordSecret"
    password = read_secret(reference, field).removesuffix(b"\n").removesuffix(b"\r")
    if not password or any(byte in password for byte in b"\n\r\0"):
        raise StrongroomError(
            Reason.InvalidSpec,
            f"{field}: Secret {reference.name}, key {reference.key} is empty or has several lines: no password",
        )
    return password.decode(errors="surrogateescape")


def _password_line(source: str, postgres: PostgresSource, read_secret: SecretReader) -> bytes:
    """One line of https://www.postgresql.org/docs/current/libpq-pgpass.html that fits every connection of the source."""
    password = read_password(source, postgres, read_secret)
    if password is None:
        return b""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n".encode(errors="surrogateescape")


def _ca_file(source: str, postgres: PostgresSource, read_secret: SecretReader, folder: Path) -> Path | None:
    reference = postgres.tls.ca_secret
    if reference is not None:
        path = folder / "ca.pem"
        _write_private(path, read_secret(reference, f"source {source}: postgres.tls.caSecret"))
        return path
    if postgres.tls.mode not in _VERIFYING:
        return None
    # libpq's own default is a file in the home folder; the system's list is what `verify-full` without a CA means.
    system = ssl.get_default_verify_paths().cafile
    return None if system is None else Path(system)


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
