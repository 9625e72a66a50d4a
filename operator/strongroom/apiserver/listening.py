"""The server's place: its state folder held by one process at a time, its socket, its certificates, its address."""

import fcntl
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strongroom.apiserver.auth.authority import Certificates, ensure_certificates
from strongroom.apiserver.settings import Settings

PKI = "pki"
"""Folder of keys and certificates, in the state folder."""
_PORT_FILE, _LOCK_FILE = "port", "lock"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_ALWAYS = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Address:
    """Where a server can be reached from this host."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """For kubeconfigs."""
        return (
            f"https://[{self.host}]:{self.port}" if ":" in self.host else f"https://{self.host}:{self.port}"
        )


@contextmanager
def hold_state(state_dir: Path) -> Iterator[None]:
    """Make the folder, for its owner only, and keep every other server out of it. Raises OSError."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state_dir / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise OSError(error.errno, "another API server works in this folder", str(state_dir)) from error
    finally:
        os.close(descriptor)


@contextmanager
def listen(settings: Settings) -> Iterator[tuple[socket.socket, Address]]:
    """Bind the wanted port; with port 0 the one of the last start, because clients remember it. Raises OSError."""
    path = settings.state_dir / _PORT_FILE
    remembered = int(path.read_text()) if path.exists() and not settings.port else 0
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port or remembered))
        listener.listen(1024)
        listener.setblocking(False)
        port = listener.getsockname()[1]
        path.write_text(str(port))
        yield listener, Address(_ALWAYS[0] if settings.host in _EVERYWHERE else settings.host, port)


def ensure_server_certificates(settings: Settings) -> Certificates:
    """The certificate for every name that this server is reached by."""
    hosts = [*_ALWAYS, *settings.names]
    if settings.host not in _EVERYWHERE:
        hosts.append(settings.host)
    return ensure_certificates(settings.state_dir / PKI, hosts, datetime.now(UTC))


def build_context(certificates: Certificates) -> ssl.SSLContext:
    """TLS as the server speaks it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificates.certificate, certificates.key)
    return context
