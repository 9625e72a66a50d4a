"""One URL fetched with guards: an address that was checked is the one that is connected to; no redirects; bounded in time and size.

Requirement 36: the scheme, the resolved address, no redirects, a timeout, and never a word of the body in a message.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.engine.hostaddresses import find_addresses, is_own_address

_PORTS = {"http": 80, "https": 443}
MOST_BYTES = 1 << 20
"""Of an answer's body, so much is looked at."""

IsOwn = Callable[[str], bool]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


def fetch_url(
    url: str, reach: Sequence[str], timeout_seconds: float, *, is_own: IsOwn = is_own_address
) -> Answer:
    """GET it from this machine or one of the networks of `reach`.

    Raises UrlForbidden for what may not be asked, and OSError or http.client.HTTPException for what does not answer.
    """
    parts = _parse(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    address = _checked_address(url, host, port, reach, is_own)
    connection = _connect(parts.scheme, host, port, address, timeout_seconds)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()
        # The socket's own timeout is one for each read: an answer that trickles would never end.
        with _ended_after(connection.sock, timeout_seconds):
            connection.request("GET", path, headers={"User-Agent": "strongroom", "Connection": "close"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(MOST_BYTES))
    finally:
        connection.close()


@contextmanager
def _ended_after(connected: socket.socket, seconds: float) -> Iterator[None]:
    def end() -> None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _parse(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.scheme in _PORTS and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError as error:
        raise _forbidden(url, f"it is no URL: {error}") from error
    if not known:
        raise _forbidden(url, "only http and https to a host, without user and password, are fetched")
    return parts


def _checked_address(url: str, host: str, port: int, reach: Sequence[str], is_own: IsOwn) -> str:
    """The address to connect to. All that the name leads to must be allowed: which one is taken is not ours to choose."""
    addresses = find_addresses(host, port)
    if not addresses:
        raise OSError(f"{host} cannot be resolved")
    for address in addresses:
        parsed = ip_address(address)
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        within = any(
            mapped.version == network.version and mapped in network
            for network in (ip_network(each, strict=False) for each in reach)
        )
        if not (within or is_own(str(mapped))):
            raise _forbidden(
                url, f"{host} leads to {address}, which is none of the host's or its containers'"
            )
    return addresses[0]


def _connect(
    scheme: str, host: str, port: int, address: str, timeout_seconds: float
) -> http.client.HTTPConnection:
    """To that very address; name and certificate are the host's."""
    connection: http.client.HTTPConnection
    if scheme == "https":
        connection = http.client.HTTPSConnection(
            host, port, timeout=timeout_seconds, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)

    def to_address(
        _named: tuple[str, int], timeout: float | None = None, source: tuple[str, int] | None = None
    ) -> socket.socket:
        return socket.create_connection((address, port), timeout, source)

    connection._create_connection = to_address  # type: ignore[attr-defined] # noqa: SLF001 - http.client has no other way
    return connection


def _forbidden(url: str, words: str) -> StrongroomError:
    return StrongroomError(Reason.UrlForbidden, f"healthCheck.url {excerpt(url)}: {words}")
