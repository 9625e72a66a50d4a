"""Where the URLs of health checks lead to, seen from this machine: to itself, to its containers, or elsewhere. Blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from strongroom.engine.connecting import Engine
from strongroom.engine.hostaddresses import find_addresses, is_own_address, list_container_networks

_PORTS = {"http": 80, "https": 443}
EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class HostNetworks:
    """`containers`: their subnets. `strangers`: of every URL that leads elsewhere, the first address that is not ours."""

    containers: tuple[str, ...] = ()
    strangers: Mapping[str, str] = field(default_factory=dict)


def look_at_urls(urls: Sequence[str], engine: Engine | None) -> HostNetworks:
    """One look. What does not resolve now, or is no URL, leads nowhere: whoever fetches it looks again.

    Without an Engine nobody can say what is a container's: nothing of them is to be reached then.
    """
    if not urls or engine is None:
        return HostNetworks()
    containers = tuple(list_container_networks(engine))
    found = {url: _stranger(url, containers) for url in urls}
    return HostNetworks(containers, {url: each for url, each in found.items() if each is not None})


def origin_of(url: str) -> str:
    """`https://shop.example:8443` of a URL, in lower case, without the port where it is the scheme's own.

    ValueError when it has none, or holds a user's name or password.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{parts.scheme}://… is no http or https URL of a server alone")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port == _PORTS[parts.scheme] else f":{port}")


def _stranger(url: str, containers: Sequence[str]) -> str | None:
    try:
        parts = urlsplit(url)
        addresses = find_addresses(parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80))
    except ValueError:
        return None
    return next((each for each in addresses if not _is_ours(each, containers)), None)


def _is_ours(address: str, containers: Sequence[str]) -> bool:
    parsed = ip_address(address)
    inside = any(parsed in ip_network(each, strict=False) for each in containers)
    return inside or is_own_address(address)
